// Package verdict judges a chaos run after it ended: by its history, by the streams of
// the queue, by what lies in the store, and by what the living tables read. Each
// violation is a sentence that names the jobs, workers and files it is about.
package verdict
