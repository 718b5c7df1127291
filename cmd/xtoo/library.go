package main

import (
	"os"
	"path/filepath"

	"xtoo/projects"
	"xtoo/projects/library"
)

// source is the work directory, with what the user has of steps and types.
func (g *globals) source() projects.Source {
	return projects.Source{Dir: g.workdir, Library: userPlaces()}
}

// library is what projects in the work directory can use by name.
func (g *globals) library() *library.Library {
	places := []library.Place{{FS: os.DirFS(g.workdir), Name: filepath.Clean(g.workdir)}}
	return library.Open(append(places, userPlaces()...)...)
}

// userPlaces is the directory of the user's own steps and types.
func userPlaces() []library.Place {
	dir, err := os.UserConfigDir()
	if err != nil { // there is no home directory, and so nothing in it
		return nil
	}
	dir = filepath.Join(dir, "xtoo")
	return []library.Place{{FS: os.DirFS(dir), Name: dir}}
}
