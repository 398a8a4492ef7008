import { Inject, Module, type DynamicModule, type InjectionToken, type OnApplicationShutdown } from '@nestjs/common';
import { Kysely } from 'kysely';
import { openDatabase } from './database.js';
import { migrate, type Migrations } from './migrate.js';

export interface DatabaseOptions {
  /** The token of settings with a DATABASE_URL among them: `settingsToken(settings)`. */
  readonly settings: InjectionToken;
  /** How the tables came to look as they do. */
  readonly migrations: Migrations;
}

/** The app's database: open and migrated before anything of the app serves, and closed after its last call. Inject it as `Kysely`. */
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  readonly #database: Kysely<unknown>;

  constructor(@Inject(Kysely) database: Kysely<unknown>) {
    this.#database = database;
  }

  /** For the root module. What keeps the database from being used keeps the app from starting, as a StartupError. */
  static forRoot({ settings, migrations }: DatabaseOptions): DynamicModule {
    const database = {
      provide: Kysely,
      inject: [settings],
      async useFactory({ DATABASE_URL }: { readonly DATABASE_URL: string }): Promise<Kysely<unknown>> {
        const opened = await openDatabase<unknown>(DATABASE_URL);
        await migrate(opened, migrations);
        return opened;
      },
    };
    return { module: DatabaseModule, providers: [database], exports: [Kysely] };
  }

  /** The last call has been answered by now. */
  async onApplicationShutdown(): Promise<void> {
    await this.#database.destroy();
  }
}
