package engine

import "github.com/helios-sql/helios-sql/connectors"

// A pace keeps the batch of a tick near the size that the store takes without
// holding it in memory twice. What a change becomes differs by the views over its
// table, so the pace is learnt: bytes of batch per byte of input.
type pace struct {
	target int // bytes of batch
	most   int // bytes of input at any rate
	ratio  float64
	told   int
}

const (
	paceRatio  = 6         // to begin with
	paceLeast  = 256 << 10 // a tick takes that much however large its batch becomes
	paceSample = 64 << 10  // smaller ticks say nothing
)

func newPace(target, most int) pace {
	p := pace{target: target, most: most, ratio: paceRatio}
	p.told = p.bytes()
	return p
}

// observe learns from a tick: at once that batches are larger, slowly that
// they are smaller.
func (p *pace) observe(in, batch int) {
	if in < paceSample {
		return
	}
	r := float64(batch) / float64(in)
	if r < p.ratio {
		r = p.ratio + (r-p.ratio)/8
	}
	p.ratio = r
}

// bytes is how much input a tick takes.
func (p *pace) bytes() int {
	return min(max(int(float64(p.target)/p.ratio), paceLeast), p.most)
}

// changed gives the pace if it is a quarter off what was last told.
func (p *pace) changed() (int, bool) {
	b := p.bytes()
	if b >= p.told-p.told/4 && b <= p.told+p.told/4 {
		return 0, false
	}
	p.told = b
	return b, true
}

// keepPace learns from the tick and tells the sources what steps to make of
// large transactions. On the loop.
func (t *Ticker) keepPace(in, batch int) {
	t.pace.observe(in, batch)
	b, changed := t.pace.changed()
	if !changed {
		return
	}
	t.stepBytes.Store(int64(b))
	e := t.engine
	e.sources.Lock()
	defer e.sources.Unlock()
	for _, r := range e.sources.byID {
		r.setPace(b)
	}
}

func (r *sourceRunner) setPace(bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.source.(connectors.Pacer); ok {
		p.SetPace(bytes)
	}
}
