// Package partition knows what the partition values of a manifest are: the
// types that a partition spec gives them, their order and their bounds.
package partition
