#!/usr/bin/env bash
# Pulumi 3.259.0: a day in a stack's file reaches the program as a time, in Go's own spelling.
#
# A stack's file holds texts and objects: `platform: {keys: {team: {expires: 2027-12-31}}}`. YAML 1.2 knows no dates, and
# a program gets objects as JSON, which has none either.
#
# Guess, before it was run: the program reads "2027-12-31", as it stands in the file.
# Seen, 2026-11-29: "2027-12-31 00:00:00 +0000 UTC". The reader makes a time of what looks like one, and the time is
# written with Go's String(), which is neither ISO 8601 nor RFC 3339, so parsers of dates refuse it. It is the same for a
# value of its own and for one inside an object. A quoted day stays as it was written.
#
# So days in a stack's file are quoted, or whoever reads them takes " 00:00:00 +0000 UTC" off the end.
# It compiles a part of Pulumi's SDK: about two minutes on two cores, some 700 MB of modules in the temp folder.
set -euo pipefail

folder=$(mktemp -d)
export GOMODCACHE="$folder/modules" GOCACHE="$folder/cache" GOFLAGS="-modcacherw -mod=mod" GOTOOLCHAIN=local
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/program"
cd "$folder/program"

cat >Pulumi.dev.yaml <<'YAML'
config:
  shop:until: 2027-12-31
  shop:plain:
    until: 2027-12-31
  shop:quoted:
    until: "2027-12-31"
YAML
cat >Pulumi.yaml <<'YAML'
name: shop
runtime: python
YAML
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

func main() {
	project, err := workspace.LoadProject("Pulumi.yaml")
	if err != nil {
		panic(err)
	}
	stack, err := workspace.LoadProjectStack(diag.DefaultSink(os.Stderr, os.Stderr, diag.FormatOptions{Color: "never"}), project, "Pulumi.dev.yaml")
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"until", "plain", "quoted"} {
		value, err := stack.Config[config.MustMakeKey("shop", name)].Value(config.NopDecrypter)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%-6s -> %s\n", name, value)
	}
}
GO
cat >go.mod <<'MOD'
module finding

go 1.25.11

require github.com/pulumi/pulumi/sdk/v3 v3.259.0
MOD
go mod tidy >/dev/null 2>&1
go run . >seen.txt
cat seen.txt
cat >expected.txt <<'TEXT'
until  -> 2027-12-31 00:00:00 +0000 UTC
plain  -> {"until":"2027-12-31 00:00:00 +0000 UTC"}
quoted -> {"until":"2027-12-31"}
TEXT
diff expected.txt seen.txt
echo "pulumi/sdk/v3 v3.259.0: as described"
