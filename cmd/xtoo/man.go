package main

import (
	"embed"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// manPages are made from the commands by a test, which says when they are not what the commands say: what makes them need not
// be part of the program, each of whose processes would initialize it.
//
//go:embed man/*.1
var manPages embed.FS

func newManCommand(*globals) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages",
		Long:  "Write one man page a command into DIR, which is made if it is missing.",
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return writeManPages(args[0]) },
	}
}

func writeManPages(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the man pages: %w", err)
	}
	pages, err := manPages.ReadDir("man")
	if err != nil {
		return fmt.Errorf("write the man pages: %w", err)
	}
	for _, p := range pages {
		data, err := manPages.ReadFile("man/" + p.Name())
		if err != nil {
			return fmt.Errorf("write the man pages: %w", err)
		}
		if err := os.WriteFile(dir+"/"+p.Name(), data, 0o644); err != nil {
			return fmt.Errorf("write the man pages: %w", err)
		}
	}
	return nil
}
