// A web server, and a client of it that may have a proxy in between.
//
//	web serve ADDRESS   prints the address and answers: HTTP/1.1, and HTTP/2 to those who begin with it
//	web ask URL         asks such a server all it can answer, and prints what it says, a line each
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		serve(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "ask":
		ask(strings.TrimSuffix(os.Args[2], "/"))
	default:
		fmt.Fprintln(os.Stderr, "usage: web serve ADDRESS | web ask URL")
		os.Exit(2)
	}
}

func serve(address string) {
	http.HandleFunc("/seen", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s host=%s for=%s forwarded=%s te=%s", r.Proto, r.URL, r.Host,
			r.Header.Get("X-Forwarded-For"), r.Header.Get("Forwarded"), r.Header.Get("Te"))
	})
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		check(http.NewResponseController(w).EnableFullDuplex())
		w.Header().Set("Trailer", "X-Length")
		n, err := io.Copy(w, r.Body)
		check(err)
		w.Header().Set("X-Length", fmt.Sprint(n, " ", r.Trailer.Get("X-Sent")))
	})
	http.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		control := http.NewResponseController(w)
		fmt.Fprint(w, "data: first\n\n")
		check(control.Flush())
		// The client reads the first before this ends, or nothing comes of it.
		<-r.Context().Done()
		ended <- "events"
	})
	http.HandleFunc("/ended", func(w http.ResponseWriter, r *http.Request) {
		select {
		case what := <-ended:
			fmt.Fprint(w, what)
		case <-time.After(time.Minute):
			http.Error(w, "nothing has ended", http.StatusInternalServerError)
		}
	})
	http.HandleFunc("/upgrade", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "upper" {
			http.Error(w, "only to upper", http.StatusUpgradeRequired)
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		check(err)
		defer conn.Close()
		fmt.Fprint(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: upper\r\n\r\n")
		check(buffered.Flush())
		for {
			line, err := buffered.ReadString('\n')
			if err != nil {
				return
			}
			buffered.WriteString(strings.ToUpper(line))
			buffered.Flush()
		}
	})
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	listener, err := net.Listen("tcp", address)
	check(err)
	fmt.Println(listener.Addr())
	check((&http.Server{Protocols: &protocols}).Serve(listener))
}

var ended = make(chan string, 1)

func ask(url string) {
	response, err := http.Get(url + "/seen?a=b")
	check(err)
	fmt.Println(text(response))

	// A body of unknown length with a trailer, both ways.
	reader, writer := io.Pipe()
	request, err := http.NewRequest("POST", url+"/echo", reader)
	check(err)
	request.Trailer = http.Header{"X-Sent": nil}
	request.Header.Set("TE", "trailers")
	go func() {
		piece := []byte(strings.Repeat("x", 1<<16))
		for range 64 {
			writer.Write(piece)
		}
		request.Trailer.Set("X-Sent", "all")
		writer.Close()
	}()
	response, err = http.DefaultClient.Do(request)
	check(err)
	fmt.Println("echo", len(text(response)), response.Trailer.Get("X-Length"))

	response, err = http.Get(url + "/events")
	check(err)
	first, err := bufio.NewReader(response.Body).ReadString('\n')
	check(err)
	response.Body.Close()
	fmt.Print(first)
	response, err = http.Get(url + "/ended")
	check(err)
	fmt.Println(response.StatusCode, text(response))

	request, err = http.NewRequest("GET", url+"/upgrade", nil)
	check(err)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "upper")
	response, err = http.DefaultClient.Do(request)
	check(err)
	conn := response.Body.(io.ReadWriteCloser)
	lines := bufio.NewReader(conn)
	for _, word := range []string{"one", "two"} {
		fmt.Fprintln(conn, word)
		line, err := lines.ReadString('\n')
		check(err)
		fmt.Print(response.StatusCode, " ", line)
	}
	conn.Close()

	request.Header.Set("Upgrade", "lower")
	response, err = http.DefaultClient.Do(request)
	check(err)
	fmt.Println(response.StatusCode, strings.TrimSpace(text(response)))
}

func text(response *http.Response) string {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(err)
	return string(body)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
