// Command chaos runs a fleet of real worker processes over a real NATS process and
// breaks everything at random for a while: processes are killed, stopped and stalled,
// the store and the catalog throttle, fail, hang and reset. Purges of many sizes and
// maintenance of living tables go on meanwhile. Afterwards it calms down, waits until
// the queue is empty, and judges: see package verdict.
//
// The seed is printed, and gives the same plan again. When something was violated, each
// violation is printed, and the history and the logs are kept.
//
//	make chaos                                   # 60 s on one server, 60 s on three
//	make chaos SEED=7 DURATION=10m PROFILE=single
//
// With -without lease or -without watchdog it builds a worker that lacks that part of
// the protocol, by changing the source on its way to the compiler, and fails unless
// overlapping runs are found: that the judgement can fail is shown that way. With
// -without nothing the same storms meet the whole protocol, and nothing must be found.
//
// It is no benchmark. Power loss it plays as far as a process can: a server is killed
// within 100 ms of an acknowledgement, and in another storm what it had written of its
// consumers in the seconds before is put back. That messages in streams are lost is not
// played, since with sync_interval: always, which deploy/ has, those that were
// acknowledged are on the disk; neither is a disk that gives back other bytes.
//
// Store and catalog are in the memory of this program. In a run of seven minutes with
// PROFILE=single 0.2 GB of it were in use after the first three, and 30 MB more for each
// minute afterwards; the process took 0.9 GB at most.
package main
