package verdict

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deckhand/internal/chaos/history"
)

const (
	purgeTail  = "purge.P.lake.dropped.t.u1"
	finishTail = "purge-finish.P.lake.dropped.t.u1"
	shardTail  = "purge-shard.P.lake.dropped.t.u1.0001"
	otherShard = "purge-shard.P.lake.dropped.t.u1.0002"
	lock       = "table.P.lake.dropped.t.u1"
)

// play is a record in which one second passes from event to event.
type play struct {
	at     time.Time
	events []history.Event
}

func (p *play) add(e history.Event) *play {
	p.at = p.at.Add(time.Second)
	e.At = p.at
	p.events = append(p.events, e)
	return p
}

func (p *play) begins(worker, tail string) *play {
	lock := lock
	if tail == shardTail || tail == otherShard {
		lock += tail[len(tail)-5:]
	}
	return p.add(history.Event{What: history.Begins, Worker: worker, Tail: tail, Lock: lock, Job: "J"})
}

func (p *play) settled(worker, tail string) *play {
	p.begins(worker, tail)
	p.events[len(p.events)-1].What = history.Settled
	return p
}

func (p *play) asks(worker string) *play {
	return p.add(history.Event{What: history.Asked, Worker: worker, Lock: lock, Op: "GET", Key: "dropped/t/root"})
}

func (p *play) deletes(worker string) *play {
	return p.add(history.Event{What: history.Asked, Worker: worker, Lock: lock, Op: "DeleteObjects", Key: "dropped/t/data", Entries: true})
}

func TestRunsThatWorkInTurnsDoNotOverlap(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w1", purgeTail).asks("w1").deletes("w1").settled("w1", purgeTail).
		begins("w2", purgeTail).deletes("w2").settled("w2", purgeTail).
		begins("w1", purgeTail).deletes("w1")
	require.Empty(t, Overlaps(p.events))
}

func TestARunThatWorksBetweenTwoDeedsOfAnotherOverlaps(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w1", purgeTail).asks("w1").begins("w2", purgeTail).deletes("w1")
	found := Overlaps(p.events)
	require.Len(t, found, 1)
	require.Contains(t, found[0], lock)
	require.Contains(t, found[0], "w1")
	require.Contains(t, found[0], "w2")
	require.Contains(t, found[0], "dropped/t/data")
}

func TestARequestOfARunThatIsOverCountsToo(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w1", purgeTail).asks("w1").settled("w1", purgeTail).begins("w2", purgeTail).deletes("w1")
	require.Len(t, Overlaps(p.events), 1)
}

func TestAProcessThatWasStoppedMayStillSendWhatItWasAboutTo(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w1", purgeTail).asks("w1").begins("w2", purgeTail).asks("w2").
		add(history.Event{What: history.Woken, Worker: "w1"})
	soon := history.Event{At: p.at.Add(zombie / 2), What: history.Asked, Worker: "w1", Lock: lock}
	require.Empty(t, Overlaps(append(p.events, soon)))
	soon.At = p.at.Add(2 * zombie)
	require.Len(t, Overlaps(append(p.events, soon)), 1)
}

func TestShardsOfAPurgeWorkSideBySide(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w1", shardTail).begins("w2", otherShard).deletes("w1").deletes("w2").asks("w1").deletes("w1").
		settled("w1", shardTail).deletes("w2").settled("w2", otherShard).begins("w1", finishTail).asks("w1")
	require.Empty(t, Overlaps(p.events))
}

func TestWhatAWorkerDeletesIsOfTheShardAndNotOfAPlanBesideIt(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w1", shardTail).deletes("w1").begins("w1", purgeTail).asks("w1").deletes("w1").
		begins("w2", finishTail).deletes("w1")
	found := Overlaps(p.events)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "beside a shard")
	require.Contains(t, found[0], shardTail)
}

func TestTwoRunsOfOneShardOverlap(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w1", shardTail).deletes("w1").begins("w2", shardTail).deletes("w2").deletes("w1")
	found := Overlaps(p.events)
	require.Len(t, found, 1)
	require.Contains(t, found[0], lock+".0001")
}

func TestAFinishBesideAShardIsFound(t *testing.T) {
	t.Parallel()
	late := new(play).begins("w1", shardTail).deletes("w1").begins("w2", finishTail).asks("w2").deletes("w1")
	early := new(play).begins("w2", finishTail).begins("w1", shardTail).deletes("w1").asks("w2")
	for _, p := range []*play{late, early} {
		found := Overlaps(p.events)
		require.Len(t, found, 1)
		require.Contains(t, found[0], "beside a shard")
		require.Contains(t, found[0], shardTail)
		require.Contains(t, found[0], finishTail)
	}
}

func TestAShardThatFindsNothingToDoIsNotBesideTheFinish(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w2", finishTail).asks("w2").begins("w1", shardTail).asks("w1").settled("w1", shardTail).asks("w2")
	require.Empty(t, Overlaps(p.events))
}

func TestAProcessThatWasStoppedMayStillSayThatItBegins(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w2", purgeTail).asks("w2").add(history.Event{What: history.Woken, Worker: "w1"})
	late := history.Event{At: p.at.Add(zombie / 2), What: history.Begins, Worker: "w1", Tail: purgeTail, Lock: lock, Job: "J"}
	p.events = append(p.events, late)
	require.Empty(t, Overlaps(p.asks("w2").events))
}

func TestTwoRunsUnderOneLockInOneProcessOverlap(t *testing.T) {
	t.Parallel()
	ends := func(ran time.Duration) []history.Event {
		p := new(play).begins("w1", purgeTail).begins("w1", finishTail).settled("w1", purgeTail)
		p.events[2].Ran = ran
		return p.settled("w1", finishTail).events
	}
	require.Empty(t, Overlaps(ends(time.Second/2)), "only its end was told late")
	found := Overlaps(ends(3 * time.Second / 2))
	require.Len(t, found, 1)
	require.Contains(t, found[0], "in one process")
}

func TestALateCommitOverlaps(t *testing.T) {
	t.Parallel()
	p := new(play).begins("w1", purgeTail).begins("w2", purgeTail).
		add(history.Event{What: history.Asked, Worker: "w1", Lock: lock, Op: "commit", Key: "live.t"})
	found := Overlaps(p.events)
	require.Len(t, found, 1)
	require.Contains(t, found[0], "commit live.t")
}
