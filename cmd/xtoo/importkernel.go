package main

import (
	"fmt"
	"slices"
	"strings"

	"xtoo/internal/catalyst"
	"xtoo/projects/schema"
)

// kernel makes nodes of the kernels that `boot/kernel` names: boot/kernel/NAME/sources and boot/kernel/NAME/config.
func (im *importer) kernel(spec *catalyst.Spec, k *catalyst.Key) {
	for _, w := range k.Words {
		if !userName.MatchString(w.Text) {
			im.note(w.Line, "%s: the name %q is not taken", k.Name, schema.Shorten(w.Text))
			continue
		}
		sources := spec.Get("boot/kernel/" + w.Text + "/sources")
		if sources == nil || len(sources.Words) != 1 || strings.ContainsAny(sources.Text(), "{}\"\\") {
			im.note(w.Line, "%s: boot/kernel/%s/sources does not say which package the kernel %s is", k.Name, w.Text, w.Text)
			continue
		}
		atom := sources.Text()
		if !strings.Contains(atom, "/") {
			atom = "sys-kernel/" + atom
		}
		with := fmt.Sprintf("package: %q", atom)
		if strings.HasSuffix(atom, "-sources") {
			with += ", build: true"
		}
		if config := spec.Get("boot/kernel/" + w.Text + "/config"); config != nil && len(config.Words) == 1 {
			if to := "kernel-" + w.Text + ".config"; im.copied(config, config.Text(), to) {
				with += fmt.Sprintf(", config: %q", to)
			}
		}
		im.nodes = append(im.nodes, fmt.Sprintf("{name: kernel-%s, step: kernel, with: {%s}}", w.Text, with))
	}
}

// unusedKernel says what of a kernel's keys was not taken.
func (im *importer) unusedKernel(spec *catalyst.Spec, k *catalyst.Key) {
	rest, ours := strings.CutPrefix(k.Name, "boot/kernel/")
	if !ours || len(k.Words) == 0 {
		return
	}
	name, what, _ := strings.Cut(rest, "/")
	list := spec.Get("boot/kernel")
	known := list != nil && slices.ContainsFunc(list.Words, func(w catalyst.Word) bool { return w.Text == name })
	switch {
	case !known:
		im.note(k.Line, "%s: boot/kernel does not name a kernel %q", k.Name, name)
	case what == "packages":
		im.note(k.Line, "%s: not taken: add them to the value packages", k.Name)
	case what != "sources" && what != "config":
		im.note(k.Line, "%s: not taken: the step `kernel` has nothing like it", k.Name)
	}
}
