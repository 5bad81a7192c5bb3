"""What runs on a node: the stages of its boot, the settings that arrive over SSH, and its status document."""
