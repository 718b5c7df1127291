package main

import (
	"github.com/spf13/cobra"

	"xtoo/projects"
)

func newSchemaCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of .xtoo-config.yaml",
		Long: `Print the JSON schema (draft 2020-12) of .xtoo-config.yaml. Editors that are given it complete
keys and check values. The same is described for people in docs/configuration.md.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := projects.Schema()
			if err != nil {
				return err
			}
			_, err = g.out.Write(text)
			return err
		},
	}
}
