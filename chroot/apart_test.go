package chroot

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"xtoo/chroot/stage"
)

// TestNodesApart: a script reaches neither the server nor another node: it does not see them, it has other namespaces, and
// what it kills is its own.
func TestNodesApart(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		var server, after int
		must(t, runStage(t, h, stage.Command{Stage: "test.pid"}, &server))
		kinds := []string{"user", "mnt", "pid", "ipc", "uts"}
		var links []string
		for _, k := range kinds {
			links = append(links, "readlink", "/proc/self/ns/"+k, ";", "print", ";")
		}
		victim := newRoot(t, h, ordinary()...)
		mark := marker(t)
		ready := make(chan struct{})
		type outcome struct {
			out string
			err error
		}
		done := make(chan outcome, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			var out bytes.Buffer
			n := victim.freshWork()
			n.Output = &triggered{w: &out, on: "ready", do: func() { close(ready) }}
			n.Spec.Process.Args = append(append([]string{"/bin/guest"}, links...), "marker", mark, ";", "print", "ready", ";", "sleep", "1h")
			_, err := h.Run(ctx, n)
			done <- outcome{out.String(), err}
		}()
		select {
		case <-ready:
		case got := <-done:
			t.Fatalf("%+v", got)
		}
		r := newRoot(t, h, ordinary()...)
		own, _ := r.run(append(slices.Clone(links), "signal", "-1", "9", ";", "signal", strconv.Itoa(server), "9")...)
		if len(marked(t, mark)) == 0 {
			t.Error("a node killed another's process")
		}
		must(t, runStage(t, h, stage.Command{Stage: "test.pid"}, &after))
		if after != server {
			t.Error("a node killed the server")
		}
		cancel()
		others := strings.Fields((<-done).out)
		for i, k := range kinds {
			serves, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", server, k))
			must(t, err)
			mine := strings.Fields(own)[i]
			if !strings.HasPrefix(mine, k+":[") || mine == others[i] || mine == serves {
				t.Errorf("%s namespaces: %s, the other node's %s, the server's %s", k, mine, others[i], serves)
			}
		}
	})
}

// TestNodeSeesItsOwn: /proc of a node has init, its process, and nothing else.
func TestNodeSeesItsOwn(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h, ordinary()...)
	out, _ := r.run("pid", ";", "ls", "/proc")
	pids := slices.DeleteFunc(strings.Fields(strings.SplitN(out, "\n", 2)[1]), func(name string) bool {
		_, err := strconv.Atoi(name)
		return err != nil
	})
	if len(pids) != 2 || pids[0] != "1" {
		t.Errorf("a node sees the processes %v", pids)
	}
}
