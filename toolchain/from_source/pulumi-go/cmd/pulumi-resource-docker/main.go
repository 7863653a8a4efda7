// pulumi-resource-docker is the Docker plugin that the Pulumi engine starts.
package main

import (
	_ "embed"

	"dyber/pulumi-go/internal/docker"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
)

//go:embed schema.json
var schema []byte

func main() { tfbridge.Main("docker", docker.Version, docker.Provider(), schema) }
