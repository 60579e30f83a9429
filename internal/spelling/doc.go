// Package spelling finds the word that a slip most likely stands for, so that a
// message about an unknown key can name the known one.
package spelling
