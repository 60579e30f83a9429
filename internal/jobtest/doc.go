// Package jobtest runs handlers of jobs in tests without a queue.
package jobtest
