// Package secret keeps passwords, tokens and keys out of logs, errors and
// printed configurations: a [String] shows itself as [Redacted] to fmt, slog,
// JSON and YAML, and only [String.Reveal] gives the value.
//
// It does not protect memory: a secret stays readable in the process.
package secret
