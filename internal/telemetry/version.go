package telemetry

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Build says what is running.
type Build struct {
	// Version as released; "devel" for a build from a work tree.
	Version string
	// Revision is the commit, with "-dirty" if the work tree had changes; "" if
	// unknown.
	Revision string
	// Go is the compiler's version.
	Go string
}

// ReadBuild reads what the compiler noted. linked is the version that the linker
// put into package main, "" if it did not.
func ReadBuild(linked string) Build {
	build := Build{Version: linked, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		build.fill(info)
	}
	build.Version = cmp.Or(build.Version, "devel")
	return build
}

func (b *Build) fill(info *debug.BuildInfo) {
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	dirty := ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			b.Revision = setting.Value[:min(len(setting.Value), 12)]
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "-dirty"
		}
	}
	if b.Revision != "" {
		b.Revision += dirty
	}
}

// String is one line, as --version prints it.
func (b Build) String() string {
	if b.Revision == "" {
		return fmt.Sprintf("%s (%s)", b.Version, b.Go)
	}
	return fmt.Sprintf("%s (%s, %s)", b.Version, b.Revision, b.Go)
}
