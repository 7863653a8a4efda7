// pulumi-resource-random is the Random plugin that the Pulumi engine starts.
package main

import (
	"context"
	_ "embed"

	"dyber/pulumi-go/internal/random"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
)

//go:embed schema.json
var schema []byte

func main() {
	pf.Main(context.Background(), "random", random.Provider(), pf.ProviderMetadata{PackageSchema: schema})
}
