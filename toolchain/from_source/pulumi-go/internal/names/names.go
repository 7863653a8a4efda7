// Package names lists the tokens, property names and types that a bridged plugin speaks.
package names

import (
	"encoding/json"
	"io"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

type property struct {
	Terraform string `json:"terraform"`
	Type      any    `json:"type"` // "str", ["list", type], ["map", type] or {name: property}
	Input     bool   `json:"input"`
	Secret    bool   `json:"secret,omitempty"`
}

// Write prints, as JSON, the properties of every resource and function by token, and of the provider under "config".
func Write(out io.Writer, provider tfbridge.ProviderInfo) error {
	byToken := map[string]any{"config": properties(provider.P.Schema(), provider.Config)}
	for terraformName, resource := range provider.Resources {
		byToken[string(resource.Tok)] = properties(provider.P.ResourcesMap().Get(terraformName).Schema(), resource.Fields)
	}
	for terraformName, source := range provider.DataSources {
		byToken[string(source.Tok)] = properties(provider.P.DataSourcesMap().Get(terraformName).Schema(), source.Fields)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", " ")
	return encoder.Encode(byToken)
}

func properties(schemas shim.SchemaMap, overrides map[string]*tfbridge.SchemaInfo) map[string]property {
	out := map[string]property{}
	schemas.Range(func(name string, schema shim.Schema) bool {
		if schema.Removed() == "" {
			out[tfbridge.TerraformToPulumiNameV2(name, schemas, overrides)] = property{
				Terraform: name,
				Type:      typeOf(schema, overrides[name]),
				Input:     schema.Optional() || schema.Required(),
				Secret:    schema.Sensitive(),
			}
		}
		return true
	})
	return out
}

func typeOf(schema shim.Schema, override *tfbridge.SchemaInfo) any {
	switch schema.Type() {
	case shim.TypeBool:
		return "bool"
	case shim.TypeInt:
		return "int"
	case shim.TypeFloat:
		return "float"
	case shim.TypeString:
		return "str"
	case shim.TypeMap:
		element := elementOf(schema, override)
		if _, isObject := schema.Elem().(shim.Resource); isObject {
			return element
		}
		if element == "any" {
			element = "str" // the Terraform SDK's default element of a map
		}
		return []any{"map", element}
	case shim.TypeList, shim.TypeSet:
		element := elementOf(schema, override)
		if tfbridge.IsMaxItemsOne(schema, override) {
			return element
		}
		return []any{"list", element}
	}
	return "any"
}

func elementOf(schema shim.Schema, override *tfbridge.SchemaInfo) any {
	var elementOverride *tfbridge.SchemaInfo
	if override != nil {
		elementOverride = override.Elem
	}
	switch element := schema.Elem().(type) {
	case shim.Resource:
		var fields map[string]*tfbridge.SchemaInfo
		if elementOverride != nil {
			fields = elementOverride.Fields
		} else if override != nil {
			fields = override.Fields
		}
		return properties(element.Schema(), fields)
	case shim.Schema:
		return typeOf(element, elementOverride)
	}
	return "any"
}
