import { LiveConfigModule } from '@holdfast/config';
import { DatabaseModule } from '@holdfast/database';
import { settingsToken } from '@holdfast/service';
import { Module } from '@nestjs/common';
import { settings } from './settings.js';
import { greeting } from './users/greeting.js';
import { UsersController } from './users/users.controller.js';
import { UsersRepository } from './users/users.repository.js';
import { migrations } from './users/users.table.js';

@Module({
  imports: [
    DatabaseModule.forRoot({ settings: settingsToken(settings), migrations }),
    LiveConfigModule.forFeature(greeting), // demo
  ],
  controllers: [UsersController],
  providers: [UsersRepository],
})
export class AppModule {}
