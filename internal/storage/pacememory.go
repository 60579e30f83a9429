package storage

import (
	"math"
	"time"
)

const pulseSlot = 2 * time.Second

// pulse measures how many requests a second were sent in the last two to four
// seconds.
type pulse struct {
	began     time.Time // the first of what is measured
	start     time.Time // of the slot of now
	last, now float64
}

func (p *pulse) add(now time.Time) {
	p.turn(now)
	p.now++
}

// rate is +Inf where a second has not yet passed.
func (p *pulse) rate(now time.Time) float64 {
	p.turn(now)
	measured := min(pulseSlot+now.Sub(p.start), now.Sub(p.began))
	if measured < time.Second {
		return math.Inf(1)
	}
	return (p.last + p.now) / measured.Seconds()
}

func (p *pulse) turn(now time.Time) {
	switch past := now.Sub(p.start); {
	case past >= 2*pulseSlot:
		*p = pulse{began: now, start: now}
	case past >= pulseSlot:
		p.start, p.last, p.now = p.start.Add(pulseSlot), p.now, 0
	}
}

const proofSlot = 5 * time.Second

// proof remembers for 35 to 40 seconds how many requests a second a store took.
type proof struct {
	start time.Time // of the slot of now
	at    int
	slots [8]float64
}

func (p *proof) note(now time.Time, rate float64) {
	p.turn(now)
	p.slots[p.at] = max(p.slots[p.at], rate)
}

func (p *proof) most(now time.Time) float64 {
	p.turn(now)
	most := 0.0
	for _, rate := range p.slots {
		most = max(most, rate)
	}
	return most
}

func (p *proof) turn(now time.Time) {
	if now.Sub(p.start) >= time.Duration(len(p.slots))*proofSlot {
		*p = proof{start: now}
	}
	for ; now.Sub(p.start) >= proofSlot; p.start = p.start.Add(proofSlot) {
		p.at = (p.at + 1) % len(p.slots)
		p.slots[p.at] = 0
	}
}
