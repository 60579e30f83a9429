package storage

import (
	"math"
	"math/rand/v2"
	"time"
)

// Parameters of [pace]. They were chosen in the simulation of pace_test.go.
const (
	// paceKeep is what a refusal leaves of the rate, at most; CUBIC's β.
	paceKeep = 0.88
	// paceCycle is how long a rate takes to be again what it was when it was
	// refused. It grows where so little is sent that a refusal in each cycle would
	// be many: below paceRequests requests in a cycle, with the power paceSlower,
	// up to paceLongest.
	paceCycle    = 8 * time.Second
	paceRequests = 25
	paceSlower   = 0.5
	paceLongest  = time.Minute
	// paceForget is after how many cycles without a refusal nothing is paced.
	paceForget = 12
	// paceLeast is the slowest rate, in requests a second.
	paceLeast = 0.1
	// paceSlack is how much time that passed unused may be made up for: timers are
	// not exact.
	paceSlack = 20 * time.Millisecond
	// paceMemory is over how many answers the accepted part is averaged.
	paceMemory = 16
	// paceStorm is the accepted part below which nothing is left to be trusted.
	paceStorm = 0.3
	// paceProven is the part of what was lately accepted below which no refusal
	// brings the rate.
	paceProven = 0.5
)

// pace is the rate at which requests of one kind are sent to one bucket. There is
// none until the store asks to slow down for the first time, and from then on it
// follows CUBIC (RFC 9438, sections 4.1 to 4.7) with requests a second in place
// of a window:
//
//   - A refusal multiplies the rate by what was accepted lately, at least by 0.5
//     and at most by 0.88, but once a round: a request that was sent before the
//     last decrease says nothing about the rate of now.
//   - The rate at which it was refused is remembered. The rate comes near it
//     quickly, stays about there, and then leaves it behind faster and faster:
//     that is how a limit that was lifted is found again. The time that this takes
//     does not depend on the rate, as it would in CUBIC, so that a cycle costs one
//     request in rate × cycle. Each cycle is up to a fifth longer or shorter, by
//     chance, so that many workers do not go up together.
//   - Who is refused below the remembered rate remembers less ("fast
//     convergence"), to make room for others.
//
// Workers that know nothing of each other come to equal rates, because a refusal
// hits each in proportion to what it sends, while they grow in equal times
// (D.-M. Chiu and R. Jain, Analysis of the Increase and Decrease Algorithms for
// Congestion Avoidance, 1989).
//
// A store may also refuse whatever the rate is. A limit at some rate takes about
// that much, however fast one sends; so a refusal does not slow what is far below
// of what was taken in the last 40 s, unless hardly anything is taken now.
//
// The zero value, with random set, sends at once. It is not safe for many
// goroutines, and asks no clock, so that it can be simulated.
type pace struct {
	random func() float64 // in [0, 1)

	since      time.Time     // the last decrease; zero: not paced
	base, goal float64       // the rate after it, and the rate that was refused
	cycle      time.Duration // from base to goal
	next       time.Time     // when the next request may go

	round    uint64  // counts decreases
	taken    bool    // whether a request of this round was accepted
	accepted float64 // part of the last requests; starts at 1
	sent     pulse
	proven   proof
}

func newPace(random func() float64) pace {
	if random == nil {
		random = rand.Float64
	}
	return pace{random: random, accepted: 1}
}

// rate is in requests a second, +Inf when nothing is paced.
func (p *pace) rate(now time.Time) float64 {
	if p.free() {
		return math.Inf(1)
	}
	cycles := float64(now.Sub(p.since)) / float64(p.cycle)
	if cycles > paceForget {
		p.since, p.next = time.Time{}, time.Time{}
		return math.Inf(1)
	}
	away := (cycles - 1) * (cycles - 1) * (cycles - 1)
	if cycles < 1 {
		return p.goal + (p.goal-p.base)*away
	}
	return p.goal * (1 + (1-paceKeep)*away)
}

// free says that nothing is paced, without a look at the time.
func (p *pace) free() bool { return p.since.IsZero() }

// wait is how long the next request has to wait, 0 when it may go.
func (p *pace) wait(now time.Time) time.Duration {
	if math.IsInf(p.rate(now), 1) {
		return 0
	}
	return max(0, p.next.Sub(now))
}

// send notes that a request is sent now. What it gives is for answered.
func (p *pace) send(now time.Time) (round uint64) {
	if rate := p.rate(now); !math.IsInf(rate, 1) {
		p.sent.add(now)
		from := now.Add(-paceSlack)
		if p.next.After(from) {
			from = p.next
		}
		p.next = from.Add(seconds(1 / rate))
	}
	return p.round
}

// accept takes in the answer to a request that was carried out.
func (p *pace) accept(round uint64) {
	p.accepted += (1 - p.accepted) / paceMemory
	p.taken = p.taken || round == p.round
}

// refuse takes in an answer of which the part refused, 1 for all of it, asks to slow
// down. took is how long the request took, inFlight how many of the kind there
// were. It says whether the rate was decreased.
func (p *pace) refuse(now time.Time, round uint64, refused float64, took time.Duration, inFlight int) (slowed bool) {
	p.accepted += (1 - refused - p.accepted) / paceMemory
	if round != p.round {
		return false
	}
	p.taken = p.taken || refused < 1
	rate := p.rate(now)
	first := math.IsInf(rate, 1)
	if first {
		// What is in flight comes from rate × time (Little's law).
		rate = float64(inFlight) / max(took, time.Millisecond).Seconds()
	} else {
		// What is not sent cannot be too much.
		rate = min(rate, 1.5*p.sent.rate(now)+1)
	}
	floor := 0.0
	if p.accepted < paceStorm {
		p.proven = proof{}
	} else {
		floor = paceProven * p.proven.most(now)
		p.proven.note(now, rate*p.accepted)
		if !first && rate <= floor {
			return false
		}
	}
	p.slow(now, rate, floor, first)
	return true
}

// slow begins a round below the rate that was refused.
func (p *pace) slow(now time.Time, rate, floor float64, first bool) {
	switch {
	case !first && !p.taken:
		// Not even slowing down helped: the store may be down, and then what it
		// takes is still what it took before.
		p.goal = max(p.goal, rate)
	case !first && rate < p.goal:
		p.goal = rate * (1 + paceKeep) / 2
	default:
		p.goal = rate
	}
	p.base = max(rate*max(0.5, min(paceKeep, p.accepted)), floor, paceLeast)
	p.goal = max(p.goal, p.base)
	requests := paceRequests * math.Pow(min(1, p.goal*paceCycle.Seconds()/paceRequests), paceSlower)
	cycle := min(max(paceCycle, seconds(requests/p.goal)), paceLongest)
	p.cycle = time.Duration((0.8 + 0.4*p.random()) * float64(cycle))
	p.since, p.next = now, now.Add(seconds(1/p.base))
	p.round++
	p.taken = false
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
