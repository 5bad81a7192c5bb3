module pulumi-llm/tools/fleet/keda

go 1.26.0

// Its CRDs alone are of use here: its operator is not built.
require github.com/kedacore/keda/v2 v2.21.0
