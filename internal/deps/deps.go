//go:build tools

// Package deps pins direct dependencies before the code that needs them has landed.
package deps

import (
	_ "github.com/containers/image/v5/copy"
	_ "github.com/containers/image/v5/docker/archive"
	_ "github.com/containers/image/v5/oci/archive"
	_ "github.com/containers/image/v5/oci/layout"
	_ "github.com/containers/image/v5/signature"
	_ "github.com/containers/storage/pkg/idtools"
	_ "github.com/containers/storage/pkg/lockfile"
	_ "github.com/klauspost/compress/zlib"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/klauspost/pgzip"
	_ "github.com/mikelolasagasti/xz"
	_ "github.com/opencontainers/go-digest"
	_ "github.com/opencontainers/image-spec/schema"
	_ "github.com/opencontainers/runtime-spec/specs-go"
	_ "github.com/opencontainers/umoci/mutate"
	_ "github.com/opencontainers/umoci/oci/cas/dir"
	_ "github.com/opencontainers/umoci/oci/casext"
	_ "github.com/opencontainers/umoci/oci/layer"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/rootless-containers/proto/go-proto"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "github.com/spf13/cobra/doc"
	_ "github.com/sylabs/sif/v2/pkg/sif"
	_ "github.com/ulikunitz/xz"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/term"
	_ "gopkg.in/yaml.v3"
	_ "mvdan.cc/sh/moreinterp/coreutils"
	_ "mvdan.cc/sh/v3/interp"
)
