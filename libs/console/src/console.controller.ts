import { Body, Controller, Get, Headers, Inject, Ip, Post, Res, type OnModuleDestroy } from '@nestjs/common';
import { Code, codeFacts, ServiceError, type JournalEntry } from '@holdfast/core';
import type { FastifyReply } from 'fastify';
import { Admittance, type AdmittanceHeaders } from './admittance.js';
import { LiveStream } from './live-stream.js';
import { Operator } from './operator.js';
import { assemblePage } from './page.js';
import { snapshotOf } from './snapshot.js';
import type { ConsoleSubject } from './subject.js';

export const SUBJECT = Symbol('console subject');

/** The live page on the admin port: `/` is the page, `/live` its stream, and the rest is for operators with the token. */
@Controller()
export class ConsoleController implements OnModuleDestroy {
  readonly #admittance: Admittance;
  readonly #operator: Operator;
  readonly #stream: LiveStream;
  readonly #page = assemblePage();
  readonly #unsubscribe: () => void;
  #lastRefused: JournalEntry | undefined;

  constructor(@Inject(SUBJECT) subject: ConsoleSubject) {
    const { clock, journal, self, token } = subject;
    const startedAt = clock.wallTime();
    this.#admittance = new Admittance(token, [self.host]);
    this.#operator = new Operator(subject);
    this.#unsubscribe = journal.subscribe((entry) => {
      if (entry.kind === 'refused') this.#lastRefused = entry;
    });
    this.#stream = new LiveStream({
      clock,
      journal,
      snapshot: () => snapshotOf(subject, startedAt, this.#lastRefused),
    });
  }

  onModuleDestroy(): void {
    this.#unsubscribe();
    this.#stream.close();
  }

  @Get()
  page(@Headers() headers: AdmittanceHeaders, @Res() reply: FastifyReply) {
    return answered(reply, () => {
      this.#admittance.mayLook(headers);
      return reply
        .headers({
          'content-security-policy': this.#page.contentSecurityPolicy,
          'content-type': 'text/html; charset=utf-8',
          'cross-origin-opener-policy': 'same-origin',
          'cross-origin-resource-policy': 'same-origin',
          'referrer-policy': 'no-referrer',
        })
        .send(this.#page.html);
    });
  }

  @Get('live')
  live(@Headers() headers: AdmittanceHeaders, @Res() reply: FastifyReply) {
    return answered(reply, () => {
      this.#admittance.mayLook(headers);
      this.#stream.open(reply.raw);
      reply.hijack();
    });
  }

  @Get('actions/settings')
  settings(@Headers() headers: AdmittanceHeaders, @Ip() from: string, @Res() reply: FastifyReply) {
    return this.#act(headers, from, reply, () => this.#operator.settings());
  }

  @Post('actions/drain')
  drain(@Headers() headers: AdmittanceHeaders, @Body() body: unknown, @Ip() from: string, @Res() reply: FastifyReply) {
    return this.#act(headers, from, reply, () => this.#operator.drain(body, from));
  }

  @Post('actions/force')
  force(@Headers() headers: AdmittanceHeaders, @Body() body: unknown, @Ip() from: string, @Res() reply: FastifyReply) {
    return this.#act(headers, from, reply, () => this.#operator.force(body, from));
  }

  @Post('actions/set')
  set(@Headers() headers: AdmittanceHeaders, @Body() body: unknown, @Ip() from: string, @Res() reply: FastifyReply) {
    return this.#act(headers, from, reply, () => this.#operator.set(body, from));
  }

  #act(headers: AdmittanceHeaders, from: string, reply: FastifyReply, act: () => unknown) {
    return answered(reply, async () => {
      try {
        this.#admittance.mayAct(headers);
      } catch (error) {
        if ((error as ServiceError).code === Code.UNAUTHENTICATED) this.#operator.wrongToken(from);
        throw error;
      }
      await reply.code(200).send((await act()) ?? {});
    });
  }
}

/** Has `work` answer; what it refuses is a problem (RFC 9457) with the sentence in it. */
async function answered(reply: FastifyReply, work: () => unknown): Promise<void> {
  reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const { code, httpStatus: status, message: detail, reason } = error;
    await reply
      .code(status)
      .type('application/problem+json')
      .send({ title: codeFacts[code].title, status, detail, reason });
  }
}
