// Serves with net/rpc, or calls whoever does and says what came of it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type Args struct{ A, B int }

type Quotient struct{ Quo, Rem int }

type Arith struct{}

func (Arith) Multiply(args *Args, reply *int) error {
	*reply = args.A * args.B
	return nil
}

func (Arith) Divide(args Args, reply *Quotient) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	reply.Quo, reply.Rem = args.A/args.B, args.A%args.B
	return nil
}

type Text struct{}

func (Text) Echo(text string, reply *string) error {
	*reply = text
	return nil
}

func (Text) Nothing(_ struct{}, _ *struct{}) error { return nil }

// What Go encodes by methods of its own, with and without pointers.
type Item struct {
	Made, Sold time.Time
	Checked    *time.Time
	Number     *big.Int
	None       *big.Int
	Price      *big.Rat
	Weights    []*big.Float
	Events     map[string]time.Time
}

type Stock struct{}

func (Stock) Made(_ struct{}, reply *time.Time) error {
	*reply = item().Made
	return nil
}

func (Stock) Number(_ struct{}, reply *big.Int) error {
	reply.Set(item().Number)
	return nil
}

func (Stock) Page(_ struct{}, reply *url.URL) error {
	page, err := url.Parse("https://example.com/7?x=y")
	*reply = *page
	return err
}

func (Stock) Item(_ struct{}, reply *Item) error {
	*reply = item()
	return nil
}

// The same as Go writes it in JSON.
func (Stock) JSON(_ struct{}, reply *string) error {
	text, err := json.Marshal(item())
	*reply = string(text)
	return err
}

func item() Item {
	made := time.Date(2024, 2, 29, 12, 30, 45, 500000000, time.FixedZone("", 3600))
	number, _ := new(big.Int).SetString("-12345678901234567890123", 10)
	var weights []*big.Float
	for _, number := range []float64{
		0, 1.5, -0.1, 100000, 123456.75, 1e6, 1234567, 0.000123, 0.0000123, 1e300, 5e-324, math.MaxFloat64,
		1.0 / 3, 4503599627370498, 9007199254740992, 167271932131646.625, 2, 8, 1024, 0.5, 0.0625,
	} {
		for _, precision := range []uint{1, 2, 3, 24, 53, 64, 100} {
			weights = append(weights, new(big.Float).SetPrec(precision).SetFloat64(number))
		}
	}
	for precision := uint(1); precision < 300; precision += 7 {
		third := new(big.Float).SetPrec(precision)
		weights = append(weights, third.Quo(big.NewFloat(1), big.NewFloat(3)))
		large := new(big.Float).SetPrec(precision).SetMantExp(third, 200)
		weights = append(weights, large, new(big.Float).SetPrec(precision).SetMantExp(third, -200))
	}
	weights = append(weights, new(big.Float).SetInf(true))
	return Item{
		Made: made, Checked: &made, Number: number, Price: big.NewRat(7, 2), Weights: weights,
		Events: map[string]time.Time{"made": made},
	}
}

// Calls of Wait go on until one of Open.
type Gate struct{ opened chan struct{} }

func (gate *Gate) Wait(number uint, reply *uint) error {
	<-gate.opened
	*reply = number
	return nil
}

func (gate *Gate) Open(_ struct{}, _ *struct{}) error {
	close(gate.opened)
	return nil
}

func main() {
	switch {
	case len(os.Args) == 5 && os.Args[1] == "serve":
		serve(os.Args[2], os.Args[3], os.Args[4])
	case len(os.Args) == 6 && os.Args[1] == "call":
		call(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	default:
		fmt.Fprintln(os.Stderr, "usage: rpc serve gob|json|http NETWORK ADDRESS")
		fmt.Fprintln(os.Stderr, "       rpc call gob|json|http NETWORK ADDRESS all|IN-FLIGHT")
		os.Exit(2)
	}
}

func serve(codec, network, address string) {
	check(rpc.Register(Arith{}))
	check(rpc.Register(Text{}))
	check(rpc.Register(Stock{}))
	check(rpc.Register(&Gate{make(chan struct{})}))
	listener, err := net.Listen(network, address)
	check(err)
	fmt.Println(listener.Addr())
	switch codec {
	case "gob":
		rpc.Accept(listener)
	case "http":
		rpc.HandleHTTP()
		check(http.Serve(listener, nil))
	case "json":
		for {
			conn, err := listener.Accept()
			check(err)
			go jsonrpc.ServeConn(conn)
		}
	}
}

func dial(codec, network, address string) *rpc.Client {
	dials := map[string]func(string, string) (*rpc.Client, error){
		"gob": rpc.Dial, "json": jsonrpc.Dial, "http": rpc.DialHTTP,
	}
	client, err := dials[codec](network, address)
	check(err)
	return client
}

func call(codec, network, address, what string) {
	client := dial(codec, network, address)
	if count, err := strconv.Atoi(what); err == nil {
		inFlight(client, count)
		return
	}
	var product int
	for _, args := range []Args{{6, 7}, {0, 7}, {-3, 5}} {
		err := client.Call("Arith.Multiply", args, &product)
		fmt.Println("multiply", product, err)
	}
	var quotient Quotient
	err := client.Call("Arith.Divide", &Args{17, 5}, &quotient)
	fmt.Println("divide", quotient, err)
	for _, method := range []string{"Arith.Divide", "Arith.Missing", "Missing.Divide", "Divide", "Arith.Panic"} {
		err := client.Call(method, Args{7, 0}, &quotient)
		_, is := err.(rpc.ServerError)
		fmt.Println(method, is, err)
	}
	err = client.Call("Arith.Multiply", "text", &product)
	_, is := err.(rpc.ServerError)
	fmt.Println("wrong arguments", is, err != nil)
	err = client.Call("Text.Nothing", struct{}{}, &struct{}{})
	fmt.Println("nothing", err)
	big := strings.Repeat("0123456789abcdef", 1<<18)
	var echoed string
	err = client.Call("Text.Echo", big, &echoed)
	fmt.Println("big", echoed == big, err)
	concurrently(client)
	fmt.Println("close", client.Close())
	fmt.Println("after", client.Call("Arith.Multiply", Args{1, 1}, &product))
}

func concurrently(client *rpc.Client) {
	var all sync.WaitGroup
	wrong := make(chan string, 64)
	for caller := range 64 {
		all.Add(1)
		go func() {
			defer all.Done()
			for number := range 50 {
				var product int
				err := client.Call("Arith.Multiply", Args{caller, number}, &product)
				if err != nil || product != caller*number {
					wrong <- fmt.Sprint(caller, number, product, err)
					return
				}
			}
		}()
	}
	all.Wait()
	close(wrong)
	fmt.Println("concurrently", len(wrong), <-wrong)
}

// Makes so many calls at once, which the server answers when it is told to.
func inFlight(client *rpc.Client, count int) {
	done := make(chan *rpc.Call, count)
	replies := make([]uint, count)
	for number := range count {
		client.Go("Gate.Wait", uint(number), &replies[number], done)
	}
	fmt.Println("waiting")
	for range count {
		call := <-done
		check(call.Error)
	}
	for number, reply := range replies {
		if reply != uint(number) {
			fmt.Println("wrong", number, reply)
		}
	}
	fmt.Println("done")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
