package storms

import (
	"math/rand/v2"
	"slices"
)

// deck deals kinds in an order drawn at random: first each once, so that a short run
// meets all of them, and then all again and again, as often as each is in it.
type deck struct {
	kinds  []Kind
	random *rand.Rand
	left   []Kind
}

func newDeck(kinds []Kind, random *rand.Rand) *deck {
	d := &deck{kinds: kinds, random: random}
	for _, k := range kinds {
		if !slices.Contains(d.left, k) {
			d.left = append(d.left, k)
		}
	}
	d.shuffle()
	return d
}

func (d *deck) shuffle() {
	d.random.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
}

func (d *deck) next() Kind {
	if len(d.left) == 0 {
		d.left = slices.Clone(d.kinds)
		d.shuffle()
	}
	k := d.left[0]
	d.left = d.left[1:]
	return k
}
