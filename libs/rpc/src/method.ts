import { BinaryWriter } from '@bufbuild/protobuf/wire';

/** What a message type offers: the pair of functions that ts-proto writes. Methods, not properties, so that any type fits `MessageType<unknown>`. */
export interface MessageType<T> {
  encode(message: T, writer?: BinaryWriter): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** One method of a generated service definition. */
export interface MethodDefinition<Request = unknown, Response = unknown> {
  readonly name: string;
  readonly requestType: MessageType<Request>;
  readonly requestStream: boolean;
  readonly responseType: MessageType<Response>;
  readonly responseStream: boolean;
  readonly options: { readonly idempotencyLevel?: 'IDEMPOTENT' | 'NO_SIDE_EFFECTS' };
}

/** A generated service definition: what ts-proto's `outputServices=generic-definitions` writes. */
export interface ServiceDefinition {
  /** `UserService` */
  readonly name: string;
  /** `user.v1.UserService` */
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

/** A method as transports need it. */
export interface RpcMethod<Request, Response> {
  /** `/user.v1.UserService/GetUser` */
  readonly path: string;
  /** The name in the generated definition, lower camel case: `getUser`. */
  readonly key: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /** True where the proto's `idempotency_level` says that sending it twice does no harm. */
  readonly idempotent: boolean;
  readonly encodeRequest: (request: Request) => Buffer;
  readonly decodeRequest: (bytes: Buffer) => Request;
  readonly encodeResponse: (response: Response) => Buffer;
  readonly decodeResponse: (bytes: Buffer) => Response;
}

/** The methods of a service, ready for a transport. */
export function methodsOf(service: ServiceDefinition): readonly RpcMethod<unknown, unknown>[] {
  return Object.entries(service.methods).map(([key, method]) => ({
    path: `/${service.fullName}/${method.name}`,
    key,
    requestStream: method.requestStream,
    responseStream: method.responseStream,
    idempotent: method.options.idempotencyLevel !== undefined,
    encodeRequest: encoderOf(method.requestType),
    decodeRequest: (bytes) => method.requestType.decode(bytes),
    encodeResponse: encoderOf(method.responseType),
    decodeResponse: (bytes) => method.responseType.decode(bytes),
  }));
}

/** A writer keeps the buffer of its longest message, up to twice as long; after a longer one than this it is let go, in bytes. */
const keptBytes = 2_097_152;
/** The writer of all messages, while none is being written: a new one with its buffer costs more than a small message. */
let idleWriter: BinaryWriter | undefined;

function encoderOf(type: MessageType<unknown>): (message: unknown) => Buffer {
  return (message) => {
    const writer = idleWriter ?? new BinaryWriter();
    // One that throws half way does not come back.
    idleWriter = undefined;
    const bytes = type.encode(message, writer).finish();
    if (bytes.length <= keptBytes) idleWriter = writer;
    // A view, not a copy: transports want a Buffer.
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}
