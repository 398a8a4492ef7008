import { LiveConfigModule } from '@holdfast/config';
import { settingsToken } from '@holdfast/service';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { Kysely } from 'kysely';
import type { z } from 'zod';
import { openDatabase, type Tables } from './database/database.js';
import { migrate } from './database/migrations.js';
import { settings } from './settings.js';
import { greeting } from './users/greeting.js';
import { UsersController } from './users/users.controller.js';
import { UsersRepository } from './users/users.repository.js';

@Module({
  imports: [LiveConfigModule.forFeature(greeting)],
  controllers: [UsersController],
  providers: [
    UsersRepository,
    {
      provide: Kysely,
      inject: [settingsToken(settings)],
      async useFactory({ DATABASE_URL }: z.infer<typeof settings>) {
        const database = await openDatabase(DATABASE_URL);
        await migrate(database);
        return database;
      },
    },
  ],
})
export class AppModule implements OnApplicationShutdown {
  readonly #database: Kysely<Tables>;

  constructor(database: Kysely<Tables>) {
    this.#database = database;
  }

  /** The last call has been answered by now. */
  async onApplicationShutdown(): Promise<void> {
    await this.#database.destroy();
  }
}
