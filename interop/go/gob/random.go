package main

import (
	"encoding/gob"
	"math/rand"
	"time"
)

// Box holds anything, which may be of a type that is described there for the first time.
type Box struct {
	Before int
	Held   any
	After  string
	More   []any
	Named  map[string]any
}

type Leaf1 struct{ A int }
type Leaf2 struct {
	B string
	L Leaf1
}
type Leaf3 struct {
	C []Leaf2
	D map[string]Leaf1
	E any
}
type Leaf4 [2]Leaf1
type Leaf5 map[string]Leaf2
type Leaf6 []any

func random(seed, count int) []any {
	for _, t := range []any{
		Box{}, Leaf1{}, Leaf2{}, Leaf3{}, Leaf4{}, Leaf5{}, Leaf6{}, []any{}, map[string]any{}, []Leaf1{}, [3]int{}, time.Time{},
	} {
		gob.Register(t)
	}
	r := rand.New(rand.NewSource(int64(seed)))
	values := make([]any, count)
	for i := range values {
		if r.Intn(3) == 0 {
			values[i] = some(r, 0)
		} else {
			values[i] = box(r, 0)
		}
	}
	return values
}

func box(r *rand.Rand, depth int) Box {
	b := Box{Before: r.Intn(3), After: word(r)}
	if r.Intn(4) > 0 {
		b.Held = some(r, depth+1)
	}
	for range r.Intn(4) {
		b.More = append(b.More, some(r, depth+1))
	}
	if r.Intn(2) == 0 {
		// One entry, as Go has no order of them.
		b.Named = map[string]any{word(r): some(r, depth+1)}
	}
	return b
}

func some(r *rand.Rand, depth int) any {
	choice := r.Intn(16)
	if depth > 4 {
		choice = r.Intn(8)
	}
	switch choice {
	case 0:
		return r.Int() - r.Int()
	case 1:
		return word(r)
	case 2:
		return r.NormFloat64()
	case 3:
		return []byte(word(r))
	case 4:
		return Leaf1{r.Intn(2)}
	case 5:
		return time.Unix(r.Int63n(1<<33), 0).UTC()
	case 6:
		return Leaf4{{r.Intn(2)}, {r.Intn(1000)}}
	case 7:
		return [3]int{r.Intn(2)}
	case 8:
		return Leaf2{word(r), Leaf1{r.Intn(300)}}
	case 9:
		return Leaf3{[]Leaf2{{word(r), Leaf1{}}}, map[string]Leaf1{word(r): {1}}, some(r, depth+1)}
	case 10:
		return Leaf5{word(r): {word(r), Leaf1{}}}
	case 11:
		return Leaf6{some(r, depth+1), nil, some(r, depth+1)}
	case 12:
		return []any{some(r, depth+1), some(r, depth+1)}
	case 13:
		return map[string]any{word(r): some(r, depth+1)}
	case 14:
		return []Leaf1{{r.Intn(2)}, {}}
	default:
		return box(r, depth)
	}
}

func word(r *rand.Rand) string {
	b := make([]byte, 1+r.Intn(200))
	for i := range b {
		b[i] = 'a' + byte(r.Intn(26))
	}
	return string(b)
}
