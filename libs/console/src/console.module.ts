import { Module, type DynamicModule } from '@nestjs/common';
import { ConsoleController, SUBJECT } from './console.controller.js';
import type { ConsoleSubject } from './subject.js';

/** The live page, for the app that serves a process's admin port. */
@Module({})
export class ConsoleModule {
  static for(subject: ConsoleSubject): DynamicModule {
    return {
      module: ConsoleModule,
      controllers: [ConsoleController],
      providers: [{ provide: SUBJECT, useValue: subject }],
    };
  }
}
