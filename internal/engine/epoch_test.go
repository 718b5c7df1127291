package engine_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"xtoo/internal/engine"
	"xtoo/projects"
)

// dated is a source whose bases are of some time.
type dated struct {
	engine.Source
	created time.Time
}

func (d dated) Read(ctx context.Context, b *projects.Base, r engine.Reading) (engine.Material, error) {
	m, err := d.Source.Read(ctx, b, r)
	m.Created = d.created
	return m, err
}

// Whatever time a base says that it is of, SOURCE_DATE_EPOCH is one that everything can hold.
func TestSaneEpoch(t *testing.T) {
	for _, c := range []struct {
		created time.Time
		want    int64
	}{
		{time.Time{}, 0}, // an image's created: 0001-01-01T00:00:00Z
		{time.Unix(-1, 0), 0},
		{time.Unix(1655382896, 999), 1655382896},
		{time.Unix(2240611200, 0), 2240611200}, // in 2041
		{time.Unix(1<<40, 0), engine.MaxEpoch}, // with a year that JSON does not have
	} {
		b := newBench(t, threeProjects)
		b.o.Sources[projects.BaseStage3] = dated{b.source, c.created}
		b.counts(4, 0)
		job, img := b.runner.Jobs()[0], b.output.Images[0]
		if want := fmt.Sprint("SOURCE_DATE_EPOCH=", c.want); !slices.Contains(job.Env, want) || job.Epoch.Unix() != c.want || img.Created.Unix() != c.want {
			t.Errorf("%s: %s; the job is of %s, the image of %s", c.created, job.Env, job.Epoch, img.Created)
		}
		b.reopen()
		b.o.Sources[projects.BaseStage3] = dated{b.source, c.created}
		b.counts(0, 4)
	}
}
