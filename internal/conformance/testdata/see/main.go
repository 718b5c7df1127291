// Command see writes down what a script sees of the root that it is executed in: see FILE, as an interpreter.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"xtoo/internal/testutil"
)

func main() {
	if err := see(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func see() error {
	v := testutil.View{Prune: true, Time: testutil.Seconds, Xattr: func(name string) bool {
		return name == "security.capability" || strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.xtoo.") && name != "user.rootlesscontainers"
	}, Skip: func(path string) bool {
		return slices.Contains([]string{"dev", "etc", "proc", "run", "see", "sys", "tmp"}, path)
	}}
	tree, err := v.Describe("/")
	if err != nil {
		return err
	}
	delete(tree, ".") // places for mounts were made in it
	data, err := json.Marshal(map[string]any{"tree": quoted(tree)})
	if err != nil {
		return err
	}
	return os.WriteFile("/see/out/saw.json", data, 0o666)
}

// quoted makes names and what is said of them fit for JSON, which knows no bytes.
func quoted(tree map[string]string) map[string]string {
	out := map[string]string{}
	for path, line := range tree {
		out[fmt.Sprintf("%q", path)] = fmt.Sprintf("%q", line)
	}
	return out
}
