// Prints what Go's net says to each question, as one line of JSON, for ours to be compared with.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

const usage = `usage: behaviour split <ADDRESSES | lookup SERVER KIND NAME
       behaviour dial NETWORK ADDRESS | listen NETWORK ADDRESS`

func main() {
	if len(os.Args) < 2 {
		refuse()
	}
	args := os.Args[2:]
	need := map[string]int{"split": 0, "lookup": 3, "dial": 2, "listen": 2}
	if n, known := need[os.Args[1]]; !known || n != len(args) {
		refuse()
	}
	switch os.Args[1] {
	case "split":
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			host, port, err := net.SplitHostPort(lines.Text())
			say([]string{host, port}, err)
		}
	case "lookup":
		say(lookup(args[0], args[1], args[2]))
	case "dial":
		say(dial(args[0], args[1]))
	case "listen":
		say(listen(args[0], args[1]))
	}
}

func refuse() {
	fmt.Fprintln(os.Stderr, usage)
	os.Exit(2)
}

func say(result []string, err error) {
	line := map[string]any{"result": result}
	if err != nil {
		line = map[string]any{"error": err.Error(), "not_found": false, "timeout": false, "temporary": false}
		var lookup *net.DNSError
		if errors.As(err, &lookup) {
			line["not_found"], line["timeout"], line["temporary"] =
				lookup.IsNotFound, lookup.IsTimeout, lookup.IsTemporary
		}
	}
	json.NewEncoder(os.Stdout).Encode(line)
}

func dial(network, address string) ([]string, error) {
	conn, err := net.DialTimeout(network, address, 3*time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return []string{conn.RemoteAddr().String()}, nil
}

func listen(network, address string) ([]string, error) {
	if strings.HasPrefix(network, "udp") || network == "unixgram" {
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return []string{conn.LocalAddr().String()}, nil
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	return []string{listener.Addr().String()}, nil
}

func lookup(server, kind, name string) ([]string, error) {
	resolver := net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, server)
		},
	}
	ctx := context.Background()
	var result []string
	add := func(format string, values ...any) { result = append(result, fmt.Sprintf(format, values...)) }
	ips := func(network string) error {
		addresses, err := resolver.LookupIP(ctx, network, name)
		for _, address := range addresses {
			add("%s", address)
		}
		return err
	}
	var err error
	switch kind {
	case "host":
		result, err = resolver.LookupHost(ctx, name)
	case "ip", "ip4", "ip6":
		err = ips(kind)
	case "addr":
		result, err = resolver.LookupAddr(ctx, name)
	case "cname":
		var canonical string
		canonical, err = resolver.LookupCNAME(ctx, name)
		result = []string{canonical}
	case "mx":
		var records []*net.MX
		records, err = resolver.LookupMX(ctx, name)
		for _, mx := range records {
			add("%d %s", mx.Pref, mx.Host)
		}
	case "ns":
		var records []*net.NS
		records, err = resolver.LookupNS(ctx, name)
		for _, ns := range records {
			add("%s", ns.Host)
		}
	case "srv":
		var canonical string
		var records []*net.SRV
		canonical, records, err = resolver.LookupSRV(ctx, "", "", name)
		add("%s", canonical)
		for _, srv := range records {
			add("%d %d %d %s", srv.Priority, srv.Weight, srv.Port, srv.Target)
		}
	case "txt":
		result, err = resolver.LookupTXT(ctx, name)
	default:
		refuse()
	}
	return result, err
}
