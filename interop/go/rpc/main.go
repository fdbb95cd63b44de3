// Serves with net/rpc, or calls whoever does and says what came of it.
package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"strconv"
	"strings"
	"sync"
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
