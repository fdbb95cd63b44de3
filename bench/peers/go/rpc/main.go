// RPC: package net/rpc, with gob.
package main

import (
	"fmt"
	"net"
	"net/rpc"

	"landline.invalid/bench/outcome"
)

type Args struct{ A, B int }

type Arith struct{}

func (Arith) Multiply(args *Args, reply *int) error {
	*reply = args.A * args.B
	return nil
}

func main() {
	outcome.Check(rpc.Register(Arith{}))
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	outcome.Check(err)
	fmt.Println("listening", listener.Addr())
	rpc.Accept(listener)
}
