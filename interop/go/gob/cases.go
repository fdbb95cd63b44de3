package main

import (
	"encoding/gob"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"time"
)

type Inner struct{ X int }

type Point struct{ X, Y int }

type Numbers struct {
	B    bool
	I    int
	I8   int8
	I16  int16
	I32  int32
	I64  int64
	U    uint
	U8   uint8
	U16  uint16
	U32  uint32
	U64  uint64
	F32  float32
	F64  float64
	C64  complex64
	C128 complex128
	R    rune
	S    string
	Y    []byte
}

type Names []string
type Grid [2][3]int
type Index map[string][]int
type Celsius float64
type Color int
type Octet uint8

type Containers struct {
	Ints    []int
	Strings []string
	Structs []Inner
	Nested  [][]string
	Array   [3]int
	Points  [2]Point
	Map     map[string]int
	Deep    map[string][]Inner
	ByInt   map[int32]bool
	Bytes   [][]byte
	Four    [4]byte
	Named   Names
	Grid    Grid
	Index   Index
	Octets  []Octet
	Colors  []Color
	Temp    Celsius
}

type Pointers struct {
	A *int
	B **int
	C *string
	D *Inner
	E *[]int
	F []*Inner
	G []*int
	H map[string]*Inner
	I *map[string]int
	J *[2]int
}

type Node struct {
	Value int
	Next  *Node
	Kids  []Node
	Byme  map[string]*Node
}

type Tree []Tree
type Forest map[string]Forest

type Even struct {
	N   int
	Odd *Odd
}
type Odd struct {
	S    string
	Even []Even
}

type Base struct{ ID int }
type Extra struct{ Note string }
type Derived struct {
	Base
	*Extra
	Name string
}

type Partly struct {
	A       int
	hidden  int
	B       string
	Func    func()
	Channel chan int
	C       []int
}

type Empty struct{}
type HasEmpty struct {
	A Empty
	B []Empty
	C struct{}
}

type Anonymous struct {
	In struct {
		A int
		B []string
	}
	List []struct{ C bool }
}

type Shape interface{ Area() float64 }
type Circle struct{ R float64 }
type Square struct {
	Side float64
	At   Point
}
type Group struct {
	Name    string
	Members []Shape
}

func (c Circle) Area() float64 { return c.R }
func (s Square) Area() float64 { return s.Side }
func (g Group) Area() float64  { return 0 }

type Drawing struct {
	Title  string
	Main   Shape
	Others []Shape
	ByName map[string]Shape
}

type Anything struct {
	V any
	L []any
	M map[string]any
}

type Standard struct {
	T  time.Time
	TP *time.Time
	I  *big.Int
	R  *big.Rat
	F  *big.Float
	U  *url.URL
	A  netip.Addr
	AP netip.AddrPort
	P  netip.Prefix
	D  time.Duration
	Ts []time.Time
	Is []*big.Int
	M  map[string]time.Time
}

type ByValue struct {
	I big.Int
	U url.URL
}

// Temp is encoded by itself: its method is on the value.
type Temp struct{ tenths int16 }

func (t Temp) MarshalBinary() ([]byte, error) {
	return []byte{byte(t.tenths >> 8), byte(t.tenths)}, nil
}
func (t *Temp) UnmarshalBinary(b []byte) error {
	t.tenths = int16(b[0])<<8 | int16(b[1])
	return nil
}

// Secret is encoded by itself: its method is on the pointer.
type Secret struct{ text string }

func (s *Secret) GobEncode() ([]byte, error) { return []byte(s.text), nil }
func (s *Secret) GobDecode(b []byte) error   { s.text = string(b); return nil }

type Custom struct {
	A Temp
	B *Temp
	C []Temp
	D Secret
	E *Secret
	F map[string]*Secret
}

type First struct {
	A []Inner
	B Inner
}
type Second struct {
	B Inner
	A []Inner
	M map[Inner]Names
}

type one struct {
	name   string
	values func() []any
}

func of(name string, values ...any) one {
	return one{name, func() []any { return values }}
}

func registered(name string, register []any, values ...any) one {
	return one{name, func() []any {
		for _, r := range register {
			gob.Register(r)
		}
		return values
	}}
}

func p[T any](v T) *T { return &v }

var link, _ = url.Parse("https://user@example.com/a?b=c#d")
var moment = time.Date(2024, 2, 29, 12, 30, 45, 123456789, time.UTC)
var zone = time.FixedZone("", -(5*3600 + 30*60))

var shapes = []any{Circle{}, Square{}, Group{}}

var cases = []one{
	of("bool", true, false),
	of("int", 0, 1, -1, 127, -128, 1<<31, int64(math.MaxInt64), int64(math.MinInt64)),
	of("uint", uint(0), uint8(127), uint16(128), uint32(1<<31), uint64(math.MaxUint64)),
	of("float", 0.0, 1.5, -17.0, math.Inf(1), math.SmallestNonzeroFloat64, float32(1.1)),
	of("complex", complex(0, 0), complex(1, -2), complex64(complex(0, 1))),
	of("string", "", "hi", "Grüße, 世界"),
	of("bytes", []byte(nil), []byte("hi"), []byte{0, 127, 128, 255}),
	of("slice", []int{}, []int{1, -1, 300}, []bool{true, false}, []string{"a", ""}, []float64{0, 1.5}, [][]int{{1}, {}}),
	of("array", [3]int{}, [3]int{1, 0, 2}, [2][2]bool{{true}}, [4]byte{1, 200}),
	of("map", map[string]int{}, map[string]int{"a": 1}, map[int]string{-1: "x"}, map[bool][]int{true: {1}}),
	of("named", Names{"a"}, Celsius(2), Color(-3), Grid{{1}, {2, 3}}, Index{"a": {1}}, []Octet{200}),
	of("struct", Point{22, 33}, Point{}, Point{0, 1}, Empty{}),
	of("numbers-zero", Numbers{}),
	of("numbers", Numbers{true, -1, -128, 1000, -70000, 1 << 40, 1, 255, 65535, 1 << 31, 1 << 63, 1.5, -2.25, 1, complex(0, 2), 'ß', "s", []byte("yy")}),
	of("containers-zero", Containers{}),
	of("containers-empty", Containers{
		Ints: []int{}, Map: map[string]int{}, Deep: map[string][]Inner{}, ByInt: map[int32]bool{}, Index: Index{},
	}),
	of("containers", Containers{
		[]int{1, 0}, []string{"", "b"}, []Inner{{}, {5}}, [][]string{{"a"}, {}}, [3]int{0, 7, 0}, [2]Point{{}, {1, 2}},
		map[string]int{"k": 9}, map[string][]Inner{"d": {{1}}}, map[int32]bool{-5: false}, [][]byte{{1}, {}},
		[4]byte{9, 8, 7, 255}, Names{"n"}, Grid{{1, 2, 3}}, Index{"i": {4}}, []Octet{1, 255}, []Color{-1}, 36.6,
	}),
	of("pointers-nil", Pointers{}),
	of("pointers-zero", Pointers{A: p(0), B: p(p(0)), C: p(""), D: &Inner{}, E: &[]int{}, I: &map[string]int{}, J: &[2]int{}}),
	of("pointers", Pointers{
		p(5), p(p(-5)), p("s"), &Inner{1}, &[]int{1}, []*Inner{{}, {2}}, []*int{p(0), p(1)},
		map[string]*Inner{"a": {3}}, &map[string]int{"b": 4}, &[2]int{0, 6},
	}),
	of("recursive", Node{Value: 1, Next: &Node{Value: 2, Next: &Node{}}, Kids: []Node{{}, {Value: 3}}, Byme: map[string]*Node{"k": {Value: 4}}}, Node{}),
	of("tree", Tree{{}, {{}, {}}}, Forest{"a": {"b": {}}}),
	of("mutual", Even{1, &Odd{"s", []Even{{N: 2}}}}),
	of("embedded", Derived{Base{7}, &Extra{"n"}, "d"}, Derived{}),
	of("unexported", Partly{A: 1, B: "b", C: []int{2}}),
	of("empty", HasEmpty{B: []Empty{{}, {}}}),
	of("anonymous", Anonymous{}, struct{ A, B int }{1, 2}),
	registered("interface", shapes, Drawing{}, Drawing{Title: "t", Main: Circle{1.5}}, Drawing{
		Title: "all", Main: Square{2, Point{1, 2}}, Others: []Shape{Circle{}, nil, Square{}}, ByName: map[string]Shape{"c": Circle{3}},
	}),
	registered("interface-nested", shapes, Drawing{Main: Group{"g", []Shape{
		Group{"h", []Shape{Square{Side: 1}, Circle{2}}}, Circle{3},
	}}, Others: []Shape{Group{}}}),
	registered("interface-top", shapes, p(Shape(Circle{1})), p(Shape(Square{})), []Shape{Circle{2}}, map[string]Shape{"a": Square{3, Point{}}}),
	registered("any", []any{[]any{}, map[string]any{}}, Anything{}, Anything{
		V: "text", L: []any{true, int64(-5), uint64(7), 1.5, "s", []byte("b"), nil}, M: map[string]any{"k": []any{int64(1)}},
	}),
	of("standard-zero", Standard{}),
	of("standard", Standard{
		T: moment, TP: p(moment.In(zone)), I: big.NewInt(-300), R: big.NewRat(-22, 7), F: big.NewFloat(1.5), U: link,
		A: netip.MustParseAddr("192.0.2.1"), AP: netip.MustParseAddrPort("[2001:db8::1]:443"), P: netip.MustParsePrefix("198.51.100.0/24"),
		D: time.Minute, Ts: []time.Time{{}, moment}, Is: []*big.Int{big.NewInt(0), big.NewInt(1)}, M: map[string]time.Time{"m": moment},
	}),
	of("standard-pointers", Standard{TP: &time.Time{}, I: big.NewInt(0), R: big.NewRat(0, 1), F: big.NewFloat(0), U: &url.URL{}}),
	of("standard-values", &ByValue{I: *big.NewInt(5), U: *link}, &ByValue{}),
	of("standard-top", moment, moment.In(zone), big.NewInt(1<<62), netip.MustParseAddr("fe80::1%eth0"), []*big.Int{big.NewInt(2)}, link),
	of("standard-in-map", map[string]time.Time{"a": moment}, map[string]*big.Int{"b": big.NewInt(1)}, [2]netip.Addr{}),
	of("custom", &Custom{}, &Custom{Temp{215}, p(Temp{}), []Temp{{}, {-1}}, Secret{"d"}, &Secret{}, map[string]*Secret{"k": {"v"}}}),
	of("order", First{A: []Inner{{1}}}, Second{M: map[Inner]Names{{1}: {"x"}}}, []Inner{{2}}, []First{{}}),
	of("order-elements", map[Inner]Names{{1}: {"x"}}, [2]map[string]Names{}, []Names{{"y"}}, Names{"z"}, [][2]Inner{{}}, []*Point{{1, 2}}),
	of("one-type-many-values", Point{1, 2}, Point{3, 4}, 5, Point{5, 6}, "s", Inner{7}, Point{7, 8}),
	of("long", make([]string, 300), Names{string(make([]byte, 1000))}),
}
