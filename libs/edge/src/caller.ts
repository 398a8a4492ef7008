import { CallContext } from '@holdfast/core';
import {
  createParamDecorator,
  Inject,
  Injectable,
  Optional,
  type ExecutionContext,
  type PipeTransform,
} from '@nestjs/common';
import { admittedOf } from './admission.js';
import { IdentitySeal, type Identity } from './identity.js';

@Injectable()
export class OpenIdentity implements PipeTransform<string | Identity | undefined, Identity | undefined> {
  constructor(@Optional() @Inject(IdentitySeal) private readonly seal: IdentitySeal | null | undefined) {}

  /** @throws ServiceError UNAUTHENTICATED for an identity that the edge of this mesh has not signed, or too long ago */
  transform(found: string | Identity | undefined): Identity | undefined {
    return typeof found === 'string' ? this.seal?.open(found) : found;
  }
}

const found = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  context.getType() === 'http'
    ? admittedOf(context.switchToHttp().getRequest<object>())?.identity
    : CallContext.current()?.identity,
);

/**
 * On whose behalf the call is made: a parameter of type `Identity | undefined`, in HTTP and gRPC controllers. It is undefined where
 * nobody said so, or where this process has no `IDENTITY_SECRET` to check it by. Beside it, the request of a gRPC method
 * needs its `@Payload()`.
 */
export const Caller = () => found(OpenIdentity);
