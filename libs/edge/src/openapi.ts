import { codeFacts } from '@holdfast/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Type } from '@nestjs/common';
import { ApiExtension, ApiHeader, DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { z } from 'zod';
import { accessOf } from './access.js';
import { methodsOf } from './edge-demands.js';
import { IDEMPOTENT } from './idempotent.js';
import { pageHeaders } from './security-headers.js';
import { LATEST_VERSION } from './versions.js';

/** What the description of an app says about it as a whole. */
export interface OpenApiOptions {
  /** @default the service's name */
  readonly title?: string;
  /** @default none */
  readonly description?: string;
  /** Of the interface, not of the software. @default '1' */
  readonly version?: string;
}

interface DescriptionOptions extends OpenApiOptions {
  /** Whether bearer tokens are asked for. */
  readonly secured: boolean;
}

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'] as const;
const PROBLEM = { $ref: '#/components/schemas/Problem' };
const UNPROBLEMATIC = /^(?:1|2|3)/;
const PAGE = /^\/docs(?:\/|$)/;

const markPage: onRequestHookHandler = (_request, reply, done) => {
  reply.headers(pageHeaders);
  done();
};

/** Serves the description at `/openapi.json` and a page to browse it at `/docs`; both are made when they are first asked for. */
export function serveOpenApi(app: NestFastifyApplication, classes: readonly Type[], options: DescriptionOptions): void {
  for (const owner of classes) for (const method of methodsOf([owner])) describe(owner, method);
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  fastify.addHook('onRoute', (route) => {
    if (PAGE.test(route.url)) route.onRequest = [route.onRequest ?? [], markPage].flat();
  });
  SwaggerModule.setup('docs', app, () => openApiOf(app, options), {
    jsonDocumentUrl: '/openapi.json',
    raw: ['json'],
    customSiteTitle: options.title ?? 'API',
  });
}

/**
 * The app as OpenAPI 3.1: routes, parameters and bodies from its controllers and their schemas, problems and access from the edge's
 * own rules. The paths without a version are the latest version's and not listed.
 */
function openApiOf(
  app: NestFastifyApplication,
  { title = 'API', description = '', version = LATEST_VERSION, secured }: DescriptionOptions,
): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(title)
    .setDescription(description)
    .setVersion(version);
  if (secured) builder.addBearerAuth();
  const document = SwaggerModule.createDocument(app, builder.build(), { standardSchemaConverter: jsonSchemaOf });
  const schemas = { ...document.components?.schemas, Problem: problemSchema };
  const twins = (path: string) => `/v${LATEST_VERSION}${path}` in document.paths;
  const paths = Object.fromEntries(Object.entries(document.paths).filter(([path]) => !twins(path)));
  for (const item of Object.values(paths)) {
    for (const method of METHODS) if (item[method]) complete(item[method], secured);
  }
  return { ...document, paths, components: { ...document.components, schemas } };
}

/** How the edge's decorators reach the operation that is made of a method; it does not show in the description as such. */
const ACCESS = 'x-holdfast-access';

/** Methods that are described already: two apps of a process may have the same controllers. */
const described = new WeakSet<object>();

/** Tells Nest's explorer what the edge's own decorators say of `method`; they themselves know nothing of descriptions. */
function describe(owner: Type, method: object): void {
  if (described.has(method)) return;
  described.add(method);
  const { open, scopes } = accessOf(owner, method);
  const descriptor = { value: method };
  if (open || scopes.length > 0) ApiExtension(ACCESS, open ? 'public' : scopes)(owner, '', descriptor);
  if (!Reflect.hasMetadata(IDEMPOTENT, method)) return;
  const header = {
    name: 'Idempotency-Key',
    required: false,
    description: 'Unique for what is to be done once: repetitions with the same key get the first answer.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  } as const;
  ApiHeader(header)(owner.prototype as object, '', descriptor);
}

/** Adds what is so of every route: that a failure is a problem, and who may call. */
function complete(operation: Operation, secured: boolean): void {
  const extensible = operation as Operation & { [ACCESS]?: 'public' | readonly string[] };
  const access = extensible[ACCESS];
  delete extensible[ACCESS];
  if (secured) operation.security = access === 'public' ? [] : [{ bearer: access ? [...access] : [] }];
  for (const [status, response] of Object.entries(operation.responses)) {
    if (response && !UNPROBLEMATIC.test(status) && !('$ref' in response)) response.content ??= problemContent();
  }
  operation.responses['default'] ??= {
    description: 'It failed: a problem as RFC 9457 has it.',
    content: problemContent(),
  };
}

function problemContent() {
  return { 'application/problem+json': { schema: PROBLEM } };
}

/** Zod's schemas as JSON Schema 2020-12, which is what OpenAPI 3.1 has; of any other library's, Nest's own reading. */
function jsonSchemaOf(schema: unknown, { schemaType }: { schemaType?: 'input' | 'output' }) {
  if (!(schema instanceof z.ZodType)) return undefined;
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: schemaType ?? 'input', unrepresentable: 'any' });
  return { schema: rest as never };
}

const text = (description: string) => ({ type: 'string', description });

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: text('Always about:blank: the code says which problem it is.'),
    title: text('What kind of failure, in words.'),
    status: { type: 'integer', minimum: 400, maximum: 599, description: 'The HTTP status.' },
    detail: text('What happened this time, for people.'),
    code: { type: 'string', enum: Object.values(codeFacts).map(({ name }) => name), description: 'For programs.' },
    reason: text('Why, in UPPER_SNAKE_CASE, where more is known than the code says.'),
    errors: {
      type: 'array',
      description: 'The fields at fault.',
      items: {
        type: 'object',
        required: ['field', 'description'],
        properties: { field: text('Its name.'), description: text('What it must be.') },
      },
    },
  },
};
