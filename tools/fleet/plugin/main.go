// Pulumi's provider for Kubernetes, out of its own module: its main package embeds two files that only its Makefile makes.
// Its schema and its mapping are beside that package, and tools/fleet/build lays them here.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

func main() { provider.Serve("kubernetes", version.Version, schema, mapping) }
