// Package schema reads YAML by a table that says what may stand in it: which keys there are, what they hold, which of
// them go together. From the same table come the JSON schema that editors check with, and the list of keys that a
// reference is made of.
//
//	Document ── Read ─────> *Value, each part with its Position
//	    │    └─ problems ─> Errors: FILE:LINE:COLUMN, what is wrong, the nearest right name, what to do
//	    ├────── JSON ─────> the JSON schema (draft 2020-12)
//	    └────── Keys ─────> every key with its type, default, example and description
//
// All that is wrong in a file is reported at once. Files are hostile until read: their size, their depth, and what
// their aliases grow into are bounded.
//
// The package knows no project, no file system and no program: what a key means is for its users.
package schema
