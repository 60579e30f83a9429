package main

import (
	"fmt"
	"strings"
	"time"
)

// say prints a line of the story.
func say(line string) { fmt.Println(line) }

var steps int

// step begins a numbered step.
func step(format string, args ...any) {
	steps++
	fmt.Printf("\n%2d. %s\n", steps, fmt.Sprintf(format, args...))
}

// detail prints a line that belongs to the step.
func detail(format string, args ...any) { fmt.Printf("    "+format+"\n", args...) }

// command prints a command as it could be typed, long ones over several lines.
func command(line string) {
	if len(line) > 100 {
		line = strings.ReplaceAll(line, " --", " \\\n        --")
	}
	detail("$ %s", line)
}

// quote prints what a command answered.
func quote(output string) {
	for line := range strings.Lines(strings.TrimRight(output, "\n")) {
		fmt.Print("      " + strings.TrimRight(line, "\n") + "\n")
	}
}

// brief rounds a duration for people.
func brief(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
