"""What the first machine's role may do on each cloud: all of it."""

from __future__ import annotations

from typing import Any

ARN = "arn:aws:ec2:us-east-1:123456789012:instance"
ALLOWED: dict[str, Any] = {
    "aws": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["ec2:StartInstances"], "Resource": [f"{ARN}/i-2", f"{ARN}/i-3"]},
        ],
    },
    "aliyun": {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ecs:StartInstance"],
                "Resource": ["acs:ecs:cn-hangzhou:*:instance/i-2", "acs:ecs:cn-hangzhou:*:instance/i-3"],
            }
        ],
    },
    "tencent": {
        "version": "2.0",
        "statement": [
            {
                "effect": "allow",
                "action": ["cvm:StartInstances"],
                "resource": ["qcs::cvm:ap-guangzhou::instance/i-2", "qcs::cvm:ap-guangzhou::instance/i-3"],
            }
        ],
    },
}
