package storage

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"
)

// world is a simulation: things that happen at moments of a time of its own.
type world struct {
	now    time.Time
	chance *rand.Rand
	events events
	count  int
}

type event struct {
	at    time.Time
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newWorld(seed uint64) *world {
	return &world{now: time.Unix(1_800_000_000, 0), chance: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // has to come out the same again
}

func (w *world) after(d time.Duration, do func()) {
	w.count++
	heap.Push(&w.events, event{w.now.Add(d), w.count, do})
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for len(w.events) > 0 && !w.events[0].at.After(end) {
		next := heap.Pop(&w.events).(event)
		w.now = next.at
		next.do()
	}
	w.now = end
}

// throttle is a store that takes so many requests a second, and what it did not
// take up to a burst; and any number when rate is 0. It also refuses some by chance.
type throttle struct {
	rate, burst float64
	faulty      float64
	tokens      float64
	filled      time.Time
}

func (s *throttle) takes(w *world) bool {
	if s.faulty > 0 && w.chance.Float64() < s.faulty {
		return false
	}
	if s.rate == 0 {
		return true
	}
	s.tokens = min(s.burst, s.tokens+s.rate*w.now.Sub(s.filled).Seconds())
	s.filled = w.now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// simWorker sends as many requests as its pace allows, 32 at once.
type simWorker struct {
	world             *world
	store             *throttle
	latency           time.Duration
	pace              pace
	inFlight          int
	waiting, stopped  bool
	accepted, refused int
}

func (s *simWorker) work() {
	for s.inFlight < DefaultMaxInFlight && !s.waiting && !s.stopped {
		if wait := s.pace.wait(s.world.now); wait > 0 {
			s.waiting = true
			s.world.after(wait, func() {
				s.waiting = false
				s.work()
			})
			return
		}
		s.send()
	}
}

func (s *simWorker) send() {
	round, sent := s.pace.send(s.world.now), s.world.now
	s.inFlight++
	way := time.Duration((0.4 + 0.2*s.world.chance.Float64()) * float64(s.latency))
	s.world.after(way, func() {
		taken := s.store.takes(s.world)
		s.world.after(way, func() {
			if taken {
				s.pace.accept(round)
				s.accepted++
			} else {
				s.pace.refuse(s.world.now, round, 1, s.world.now.Sub(sent), s.inFlight)
				s.refused++
			}
			s.inFlight--
			s.work()
		})
	})
}

// simFleet is many of them on one store.
type simFleet struct {
	world   *world
	store   *throttle
	workers []*simWorker
}

// newFleet starts so many workers, one after the other.
func newFleet(seed uint64, workers int, store throttle, latency, between time.Duration) *simFleet {
	w := newWorld(seed)
	store.tokens, store.filled = store.burst, w.now
	f := &simFleet{world: w, store: &store}
	for n := range workers {
		s := &simWorker{world: w, store: f.store, latency: latency, pace: newPace(w.chance.Float64)}
		f.workers = append(f.workers, s)
		w.after(time.Duration(n)*between, s.work)
	}
	return f
}

// figures of a while.
type figures struct {
	// rate is in accepted requests a second, share how many times more the busiest
	// worker got than the one with the least, refused the part of all requests.
	rate, share, refused float64
}

func (f *simFleet) measure(d time.Duration) figures {
	for _, s := range f.workers {
		s.accepted, s.refused = 0, 0
	}
	f.world.pass(d)
	accepted, refused, least, most := 0, 0, math.MaxInt, 0
	for _, s := range f.workers {
		accepted += s.accepted
		refused += s.refused
		least, most = min(least, s.accepted), max(most, s.accepted)
	}
	return figures{
		rate:    float64(accepted) / d.Seconds(),
		share:   float64(most) / float64(max(1, least)),
		refused: float64(refused) / float64(max(1, accepted+refused)),
	}
}

// rates are the paces of now, in requests a second.
func (f *simFleet) rates() []float64 {
	rates := make([]float64, len(f.workers))
	for n, s := range f.workers {
		rates[n] = s.pace.rate(f.world.now)
	}
	return rates
}
