package queue

// runIfKilledWorker makes the process a worker that kills itself, if a test
// started it as one.
func runIfKilledWorker() {}
