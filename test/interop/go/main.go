// grpc-go as a peer: `client <address>` tries a server of ours by gRPC's interop cases and prints a line for each,
// `server` serves ours. Messages are bytes to it, written by hand: no generated code.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const service = "/holdfast.testing.v1.EchoService/"
const maxMessage = 8 << 20

// raw hands bytes through.
type raw struct{}

func (raw) Marshal(v interface{}) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v interface{}) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string   { return "proto" }
func (raw) String() string { return "proto" }

func varint(value int) []byte {
	var out []byte
	for value > 0x7f {
		out = append(out, byte(value&0x7f|0x80))
		value >>= 7
	}
	return append(out, byte(value))
}

func field(tag byte, data []byte) []byte {
	return append(append([]byte{tag}, varint(len(data))...), data...)
}
func text(value string) []byte { return field(0x0a, []byte(value)) }
func payload(size int) []byte  { return field(0x12, bytes.Repeat([]byte("x"), size)) }

func check(name string, good bool, detail ...interface{}) {
	if good {
		fmt.Println("ok " + name)
		return
	}
	fmt.Println("FAILED "+name, detail)
	os.Exit(1)
}

var streaming = grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

// talk sends all of `requests`, then reads until the end.
func talk(ctx context.Context, conn *grpc.ClientConn, method string, requests ...[]byte) ([][]byte, error) {
	stream, err := conn.NewStream(ctx, &streaming, service+method)
	if err != nil {
		return nil, err
	}
	for index := range requests {
		if err := stream.SendMsg(&requests[index]); err != nil {
			break
		}
	}
	stream.CloseSend()
	var answers [][]byte
	for {
		var answer []byte
		if err := stream.RecvMsg(&answer); err == io.EOF {
			return answers, nil
		} else if err != nil {
			return answers, err
		}
		answers = append(answers, answer)
	}
}

func client(address string) {
	conn, err := grpc.Dial(address, grpc.WithInsecure(),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(maxMessage)))
	check("dial", err == nil, err)
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	echo := func(ctx context.Context, request []byte, options ...grpc.CallOption) ([]byte, error) {
		var answer []byte
		err := conn.Invoke(ctx, service+"Echo", &request, &answer, options...)
		return answer, err
	}

	answer, err := echo(ctx, nil)
	check("empty_unary", err == nil && len(answer) == 0, err)
	large := payload(271828)
	answer, err = echo(ctx, large)
	check("large_unary", err == nil && bytes.Equal(answer, large), err)
	answer, err = echo(ctx, large, grpc.UseCompressor(gzip.Name))
	check("client_compressed_unary", err == nil && bytes.Equal(answer, large), err)

	var requests [][]byte
	for _, size := range []int{27182, 8, 1828, 45904} {
		requests = append(requests, payload(size))
	}
	answers, err := talk(ctx, conn, "Collect", requests...)
	check("client_streaming", err == nil && len(answers) == 1 && bytes.HasPrefix(answers[0], []byte{8, 4}), err)
	answers, err = talk(ctx, conn, "Expand", []byte{8, 4, 0x10, 0xe8, 7})
	check("server_streaming", err == nil && len(answers) == 4 && len(answers[3]) > 1000, err)
	answers, err = talk(ctx, conn, "Chat")
	check("empty_stream", err == nil && len(answers) == 0, err)

	stream, err := conn.NewStream(ctx, &streaming, service+"Chat")
	for _, size := range []int{27182, 8, 1828, 45904} {
		ping := text(strings.Repeat("x", size))
		var pong []byte
		sent, received := stream.SendMsg(&ping), stream.RecvMsg(&pong)
		check("ping_pong", sent == nil && received == nil && bytes.Equal(ping, pong), sent, received)
	}
	stream.CloseSend()

	var header metadata.MD
	asked := metadata.AppendToOutgoingContext(ctx, "x-bytes-bin", "\xab\xab\xab")
	_, err = echo(asked, text("meta"), grpc.Header(&header))
	check("custom_metadata", err == nil && header.Get("x-back-bin")[0] == "\xab\xab\xab", err, header)
	_, err = echo(ctx, text("fail"))
	check("status_code_and_message", status.Code(err) == codes.NotFound && status.Convert(err).Message() == "schön 100 %", err)
	_, err = echo(ctx, text("special"))
	special := "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
	check("special_status_message", status.Code(err) == codes.Unknown && status.Convert(err).Message() == special, err)
	var nothing []byte
	err = conn.Invoke(ctx, service+"Missing", &nothing, &answer)
	check("unimplemented_method", status.Code(err) == codes.Unimplemented, err)
	err = conn.Invoke(ctx, "/holdfast.testing.v1.MissingService/Missing", &nothing, &answer)
	check("unimplemented_service", status.Code(err) == codes.Unimplemented, err)

	begun, cancel := context.WithCancel(ctx)
	stream, err = conn.NewStream(begun, &streaming, service+"Collect")
	cancel()
	check("cancel_after_begin", err == nil && status.Code(stream.RecvMsg(&answer)) == codes.Canceled)
	begun, cancel = context.WithCancel(ctx)
	stream, err = conn.NewStream(begun, &streaming, service+"Chat")
	first := text("first")
	stream.SendMsg(&first)
	err = stream.RecvMsg(&answer)
	cancel()
	check("cancel_after_first_response", err == nil && status.Code(stream.RecvMsg(&answer)) == codes.Canceled, err)
	short, over := context.WithTimeout(ctx, 100*time.Millisecond)
	_, err = echo(short, text("sleep"))
	over()
	check("timeout_on_sleeping_server", status.Code(err) == codes.DeadlineExceeded, err)
	many := make(chan bool)
	for n := 0; n < 500; n++ {
		go func(request []byte) {
			answer, err := echo(ctx, request)
			many <- err == nil && bytes.Equal(request, answer)
		}(text(fmt.Sprintf("call %d", n)))
	}
	good := 0
	for n := 0; n < 500; n++ {
		if <-many {
			good++
		}
	}
	check("500 at a time", good == 500, good)
	answer, err = echo(ctx, text("end"))
	check("still there", err == nil && bytes.Equal(answer, text("end")), err)
}

func serve(_ interface{}, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	name := strings.TrimPrefix(method, service)
	count := 0
	for {
		var request []byte
		if err := stream.RecvMsg(&request); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		count++
		switch {
		case name == "Echo" && bytes.Equal(request, text("fail")):
			return status.Error(codes.NotFound, "schön 100 %")
		case name == "Echo" && bytes.Equal(request, text("sleep")):
			time.Sleep(time.Second)
		case name == "Expand":
			for index := 0; index < 100; index++ {
				answer := append(append([]byte{8}, varint(index)...), payload(1000)...)
				if err := stream.SendMsg(&answer); err != nil {
					return err
				}
			}
		}
		if name == "Echo" || name == "Chat" {
			if err := stream.SendMsg(&request); err != nil {
				return err
			}
		}
	}
	if name == "Collect" {
		answer := append([]byte{8}, varint(count)...)
		return stream.SendMsg(&answer)
	}
	return nil
}

func main() {
	if os.Args[1] == "client" {
		client(os.Args[2])
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	serving := grpc.NewServer(grpc.CustomCodec(raw{}), grpc.UnknownServiceHandler(serve), grpc.MaxRecvMsgSize(maxMessage))
	panic(serving.Serve(listener))
}
