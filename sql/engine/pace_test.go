package engine

import "testing"

func TestPace(t *testing.T) {
	p := newPace(4<<20, 16<<20)
	if b := p.bytes(); b != (4<<20)/paceRatio {
		t.Fatalf("at first %d", b)
	}
	p.observe(1000, 1<<20) // too small to count
	if _, changed := p.changed(); changed {
		t.Fatal("a small tick changed the pace")
	}
	p.observe(1<<20, 12<<20)
	if b, changed := p.changed(); !changed || b != (4<<20)/12 {
		t.Fatalf("after larger batches %d, %v", b, changed)
	}
	p.observe(1<<20, 100<<20)
	if b := p.bytes(); b != paceLeast {
		t.Fatalf("least %d", b)
	}
	for range 100 {
		p.observe(1<<20, 1<<18)
	}
	if b := p.bytes(); b < 15<<20 || b > 16<<20 {
		t.Fatalf("after many small batches %d", b)
	}
}
