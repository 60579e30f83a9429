package dev.deckhand.polaris.wiring;

import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.util.List;
import org.apache.polaris.core.config.RealmConfigurationSource;
import org.apache.polaris.core.persistence.MetaStoreManagerFactory;
import org.apache.polaris.service.context.RealmContextConfiguration;
import org.mockito.Mockito;

/** The beans of Polaris that ours ask for, in an application that is not Polaris. */
class StandIns {
  @Produces
  @Singleton
  RealmContextConfiguration realms() {
    var realms = Mockito.mock(RealmContextConfiguration.class);
    Mockito.when(realms.realms()).thenReturn(List.of());
    return realms;
  }

  @Produces
  @Singleton
  RealmConfigurationSource configuration() {
    return (realm, key) -> null;
  }

  @Produces
  @Singleton
  MetaStoreManagerFactory metaStores() {
    return Mockito.mock(MetaStoreManagerFactory.class);
  }
}
