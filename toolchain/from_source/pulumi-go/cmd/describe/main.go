// describe writes what the plugins speak: `describe schema` the schemas that they embed,
// `describe names docker` the tokens and properties that tests/toolchain compares with the Python SDK.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"dyber/pulumi-go/internal/docker"
	"dyber/pulumi-go/internal/names"
	"dyber/pulumi-go/internal/random"

	pftfgen "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "describe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "schema":
		return writeSchemas()
	case len(args) == 2 && args[0] == "names":
		provider, err := providerNamed(args[1])
		if err != nil {
			return err
		}
		return names.Write(os.Stdout, provider)
	}
	return fmt.Errorf("usage: describe schema | describe names docker|random")
}

func providerNamed(name string) (tfbridge.ProviderInfo, error) {
	switch name {
	case "docker":
		return docker.Provider(), nil
	case "random":
		return random.Provider(), nil
	}
	return tfbridge.ProviderInfo{}, fmt.Errorf("no plugin called %q", name)
}

func writeSchemas() error {
	spec, err := tfgen.GenerateSchemaWithOptions(tfgen.GenerateSchemaOptions{ProviderInfo: docker.Provider(), XInMemoryDocs: true})
	if err != nil {
		return fmt.Errorf("docker schema: %w", err)
	}
	dockerSchema, err := json.MarshalIndent(spec.PackageSpec, "", " ")
	if err != nil {
		return fmt.Errorf("docker schema: %w", err)
	}
	generated, err := pftfgen.GenerateSchema(context.Background(), pftfgen.GenerateSchemaOptions{ProviderInfo: random.Provider(), XInMemoryDocs: true})
	if err != nil {
		return fmt.Errorf("random schema: %w", err)
	}
	for name, schema := range map[string][]byte{"docker": dockerSchema, "random": generated.ProviderMetadata.PackageSchema} {
		if err := os.WriteFile(filepath.Join("cmd", "pulumi-resource-"+name, "schema.json"), schema, 0o644); err != nil {
			return err
		}
	}
	return nil
}
