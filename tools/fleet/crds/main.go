// crd-check CRD OBJECT: whether a Kubernetes API server would store an object of a CRD, by the server's own library.
//
// CRD is YAML, OBJECT is JSON. It prints what is wrong, a line each, and ends with 1; or `taken`. Unknown fields are
// wrong, as they are under strict validation.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// keda is the version of KEDA whose CRDs were installed beside this program.
var keda string

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "crd-check:", err)
		os.Exit(2)
	}
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: crd-check CRD OBJECT (beside it: CRDs of KEDA", keda+")")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	must(err)
	var crd v1.CustomResourceDefinition
	must(yaml.UnmarshalStrict(text, &crd))
	var inner apiextensions.CustomResourceDefinition
	must(v1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&crd, &inner, nil))
	schema := inner.Spec.Validation
	if schema == nil {
		schema = inner.Spec.Versions[0].Schema
	}
	structural, err := structuralschema.NewStructural(schema.OpenAPIV3Schema)
	must(err)
	bad := false
	text, err = os.ReadFile(os.Args[2])
	must(err)
	var object map[string]interface{}
	must(json.Unmarshal(text, &object))
	validator, _, err := validation.NewSchemaValidator(schema.OpenAPIV3Schema)
	must(err)
	for _, each := range validation.ValidateCustomResource(nil, object, validator) {
		fmt.Println(each)
		bad = true
	}
	rules := cel.NewValidator(structural, true, celconfig.PerCallLimit)
	if rules != nil {
		errs, _ := rules.Validate(context.TODO(), nil, structural, object, nil, celconfig.RuntimeCELCostBudget)
		for _, each := range errs {
			fmt.Println(each)
			bad = true
		}
	}
	for _, path := range pruning.PruneWithOptions(object, structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		fmt.Printf("unknown field %q\n", path)
		bad = true
	}
	if bad {
		os.Exit(1)
	}
	fmt.Println("taken")
}
