//go:build !linux

package storage

import "os"

// renameNew is known on Linux only.
func renameNew(*os.Root, string, string) error { return errNoRename }
