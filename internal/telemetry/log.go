package telemetry

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
)

// LogConfig says how to log.
type LogConfig struct {
	// Level below which nothing is logged. Default info.
	Level slog.Level
	// Format is "text", "json", or "auto": text if the writer is a terminal.
	// Default auto.
	Format string
}

// NewLogger logs to w: coloured lines for people, JSON for machines.
func NewLogger(w io.Writer, cfg LogConfig) *slog.Logger {
	terminal := isTerminal(w)
	if cfg.Format == "json" || cfg.Format != "text" && !terminal {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: cfg.Level, ReplaceAttr: readable}))
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{
		Level: cfg.Level, TimeFormat: time.TimeOnly, NoColor: !terminal || os.Getenv("NO_COLOR") != "",
	}))
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// readable writes durations as 1.5s: a number of nanoseconds has no unit.
func readable(_ []string, attr slog.Attr) slog.Attr {
	if attr.Value.Kind() == slog.KindDuration {
		attr.Value = slog.StringValue(attr.Value.Duration().String())
	}
	return attr
}
